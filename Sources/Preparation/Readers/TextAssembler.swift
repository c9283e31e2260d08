import Datasets
import Platform

/// Makes documents of bytes that come in pieces of any length, and batches of the documents.
///
/// Where a document is cut depends on its text alone, not on how it came: an interrupted preparation counts on it.
struct TextAssembler {
    /// Documents longer than this are cut, where the tokenizer allows it.
    static let pieceSize = 1 << 20
    /// Text of a batch, at least, but for the last.
    static let batchSize = 4 << 20
    /// A line of JSONL is held as a whole.
    static let maximumLineLength = 1 << 30

    /// What is read: text, or lines of JSON whose field is the text of a document.
    enum Form {
        case text, jsonLines
    }

    private let format: CorpusFormat
    /// The line break after it belongs to it.
    private let separator: DocumentSeparator?
    private let notices: CorpusNotices
    /// The last place in some text where it may be cut; 0 when there is none.
    private let lastCut: (UnsafeRawBufferPointer) -> Int
    private var batch = TextBatch()
    private var finished: TextBatch?
    /// Pieces of the finished batch that were taken.
    private var taken = 0

    /// Of what is being read.
    private var origin = ""
    private var form = Form.text
    private var split: Dataset.Split?
    /// The byte of the origin at which the batch's bytes start.
    private var base = 0
    /// Where in the batch the open document, or what of it was not passed on, starts.
    private var open = 0
    /// Up to where it was searched for its end.
    private var searched = 0
    /// How much of it is looked at for a place to cut: more, when there was none.
    private var window = Self.pieceSize
    private var startsDocument = true
    private var skipsLineBreak = false
    /// Of JSONL, lines that were read; of text, separators.
    private var lines = 0
    private var separators = 0
    private var hasCRLF = false

    init(
        format: CorpusFormat = CorpusFormat(),
        notices: CorpusNotices = CorpusNotices(),
        lastCut: @escaping (UnsafeRawBufferPointer) -> Int
    ) {
        self.format = format
        separator = DocumentSeparator(format.separator)
        self.notices = notices
        self.lastCut = lastCut
    }

    /// Takes a batch that is complete.
    mutating func take() -> TextBatch? {
        guard let pieces = finished?.pieces, let length = finished?.bytes.count else { return nil }
        guard taken > 0 || length > 2 * Self.batchSize && pieces.count > 1 else {
            defer { finished = nil }
            return finished
        }
        return takePart()
    }

    /// Takes what is left, at the end of everything.
    mutating func takeRest() -> TextBatch? {
        if let batch = take() { return batch }
        guard !batch.pieces.isEmpty else { return nil }
        (finished, batch) = (batch, TextBatch())
        return take()
    }

    /// A long line makes one large batch, and its tokens need more room than it: they are not made all at once.
    private mutating func takePart() -> TextBatch? {
        guard let whole = finished else { return nil }
        var part = TextBatch()
        while taken < whole.pieces.count, part.bytes.count < Self.batchSize {
            var piece = whole.pieces[taken]
            let start = part.bytes.count
            part.bytes += whole.bytes[piece.range]
            piece.range = start..<part.bytes.count
            part.pieces.append(piece)
            taken += 1
        }
        if taken == whole.pieces.count { (finished, taken) = (nil, 0) }
        return part
    }

    // MARK: - One file or member

    /// A file begins, and a document with it.
    ///
    /// - Parameter offset: the byte of the file that comes first.
    mutating func begin(_ name: String, form: Form, split: Dataset.Split?, from offset: Int = 0) {
        origin = name
        self.form = form
        self.split = split
        base = offset - batch.bytes.count
        restart(at: batch.bytes.count)
        (skipsLineBreak, hasCRLF, lines, separators) = (false, false, 0, 0)
    }

    /// - Throws: `UserError(.data)` for a line of JSONL that is no document, or beyond all measure.
    mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
        batch.bytes.append(contentsOf: bytes)
        try work(atEnd: false)
        if batch.bytes.count >= Self.batchSize, !batch.pieces.isEmpty { finish() }
    }

    /// The file ends, and its last document.
    mutating func end() throws {
        try work(atEnd: true)
        if form == .text {
            noteSeparators()
            close(at: batch.bytes.count, next: batch.bytes.count)
        }
        if batch.bytes.count >= Self.batchSize, !batch.pieces.isEmpty { finish() }
    }

    private mutating func work(atEnd: Bool) throws {
        switch form {
        case .jsonLines: try splitLines(atEnd: atEnd)
        case .text: splitText(atEnd: atEnd)
        }
    }

    private mutating func splitLines(atEnd: Bool) throws {
        while let end = lineBreak() { try takeLine(to: end, next: end + 1) }
        if atEnd { return try takeLine(to: batch.bytes.count, next: batch.bytes.count) }
        searched = batch.bytes.count
        guard batch.bytes.count - open <= Self.maximumLineLength else {
            throw UserError(.data, "\(origin): line \(lines + 1) is longer than \(Self.maximumLineLength) bytes")
        }
    }

    /// The next end of a line.
    private func lineBreak() -> Int? {
        batch.bytes.withUnsafeBytes { bytes in
            guard searched < bytes.count, let base = bytes.baseAddress else { return nil }
            return memchr(base + searched, 0x0A, bytes.count - searched).map { UnsafeRawPointer($0) - base }
        }
    }

    /// Makes a document of a line, whose text takes its place; an empty one, or an empty text, is none.
    private mutating func takeLine(to end: Int, next: Int) throws {
        lines += 1
        defer { restart(at: next) }
        guard batch.bytes[open..<end].contains(where: { $0 > 0x20 }) else { return }
        do {
            let (field, line) = (format.fieldName, open..<end)
            let length = try batch.bytes.withUnsafeMutableBytes {
                try JSONLine.extract(field, from: UnsafeMutableRawBufferPointer(rebasing: $0[line]))
            }
            guard length > 0 else { return }
            let textEnd = open + length
            cut(upTo: textEnd)
            add(open..<textEnd, endsDocument: true)
        } catch let fault as JSONLine.Fault {
            guard format.skipsBad else { throw UserError(.data, "\(origin): line \(lines) \(fault.reason)") }
            notices.add(.skippedLine, at: "\(origin): line \(lines) \(fault.reason)")
        }
    }

    private mutating func splitText(atEnd: Bool) {
        while true {
            if skipsLineBreak {
                guard dropLineBreak(atEnd: atEnd) else { return }
            }
            let found = batch.bytes.withUnsafeBytes {
                separator?.find(in: $0, from: max(open, searched), documentStart: open)
            }
            // A separator may be still to come as a whole.
            let undecided = atEnd ? 0 : (separator?.maximumLength ?? 1) - 1
            let known = found?.lowerBound ?? max(open, batch.bytes.count - undecided)
            searched = known
            cut(upTo: known)
            guard let found else { return }
            separators += 1
            if found.count > (separator?.bytes.count ?? 0) { hasCRLF = true }
            close(at: found.lowerBound, next: found.upperBound)
            skipsLineBreak = true
        }
    }

    private func noteSeparators() {
        guard separator != nil, base + batch.bytes.count > 0 else { return }
        if separators == 0 { notices.add(.absentSeparator, at: origin) }
        if hasCRLF { notices.add(.carriageReturns, at: origin) }
    }

    /// Whether it is decided: the second byte of CR LF may be still to come.
    private mutating func dropLineBreak(atEnd: Bool) -> Bool {
        let rest = batch.bytes.count - open
        guard rest > 0 else { return atEnd }
        if batch.bytes[open] == 0x0A {
            restart(at: open + 1)
        } else if batch.bytes[open] == 0x0D {
            guard rest > 1 || atEnd else { return false }
            if rest > 1, batch.bytes[open + 1] == 0x0A { restart(at: open + 2) }
        }
        skipsLineBreak = false
        return true
    }

    /// Passes on parts of a document that is longer than a piece, `end` being its end or what is known of it. Something
    /// of it always remains, to end it with.
    private mutating func cut(upTo end: Int) {
        while end - open > window {
            let length = batch.bytes.withUnsafeBytes {
                lastCut(UnsafeRawBufferPointer(rebasing: $0[open..<open + window]))
            }
            // What decides a document's split is not to depend on where its text may be cut.
            let least = form == .jsonLines && startsDocument ? DocumentSplit.hashedBytes : 1
            if length >= least {
                add(open..<open + length, endsDocument: false)
                open += length
                window = Self.pieceSize
            } else {
                window *= 2
            }
        }
    }

    /// Ends the document; an empty one is none.
    private mutating func close(at end: Int, next: Int) {
        if end > open { add(open..<end, endsDocument: true) }
        restart(at: next)
    }

    private mutating func restart(at position: Int) {
        (open, searched, window, startsDocument) = (position, position, Self.pieceSize, true)
    }

    private mutating func add(_ range: Range<Int>, endsDocument: Bool) {
        batch.pieces.append(
            .init(
                range: range,
                startsDocument: startsDocument,
                endsDocument: endsDocument,
                split: split,
                origin: origin,
                offset: base + range.lowerBound
            )
        )
        startsDocument = false
    }

    /// Sets the batch aside; what is open goes to the next.
    private mutating func finish() {
        var next = TextBatch()
        next.bytes.reserveCapacity(Self.batchSize + Self.pieceSize)
        next.bytes.append(contentsOf: batch.bytes[open...])
        batch.bytes.removeLast(batch.bytes.count - open)
        finished = batch
        batch = next
        base += open
        searched -= open
        open = 0
    }
}
