import Datasets
import Platform

/// Assembles documents from bytes that arrive in pieces of any length, and collects the documents in batches.
///
/// The places where a document is cut depend only on its text and not on the pieces in which it arrives. Continuing an
/// interrupted preparation relies on this.
struct TextAssembler {
    /// In bytes. Longer documents are cut at a place that the tokenizer allows.
    static let pieceSize = 1 << 20
    /// The minimum size of a batch in bytes, except for the last batch.
    static let batchSize = 4 << 20
    /// The maximum length of a line of JSONL in bytes. A line is held in memory as a whole.
    static let maximumLineLength = 1 << 30

    /// The form of the input: plain text, or JSON objects with the text of a document in a field.
    enum Form {
        case text, jsonLines
    }

    private let format: CorpusFormat
    /// The separator. A line break after it is dropped too.
    private let separator: DocumentSeparator?
    private let notices: CorpusNotices
    /// Returns the last place where a text can be cut, or 0 if there is none.
    private let lastCut: (UnsafeRawBufferPointer) -> Int
    private var batch = TextBatch()
    private var finished: TextBatch?
    /// The number of pieces of the finished batch that were taken.
    private var taken = 0

    /// The name of the current file or member.
    private var origin = ""
    private var form = Form.text
    private var split: Dataset.Split?
    /// The byte offset in the current file of the batch's first byte. Negative if the file starts within the batch.
    private var base = 0
    /// The offset in the batch where the current document starts, or its part that is not in a piece yet.
    private var open = 0
    /// The offset in the batch up to which the document was searched for its end.
    private var searched = 0
    /// The number of bytes in which to look for a place to cut. It doubles if there is no such place.
    private var window = Self.pieceSize
    private var startsDocument = true
    private var skipsLineBreak = false
    /// The number of lines read from the current file, for JSONL.
    private var lines = 0
    /// The number of separators found in the current file, for plain text.
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

    /// Returns a complete batch, or nil if there is none.
    mutating func take() -> TextBatch? {
        guard let pieces = finished?.pieces, let length = finished?.bytes.count else { return nil }
        guard taken > 0 || length > 2 * Self.batchSize && pieces.count > 1 else {
            defer { finished = nil }
            return finished
        }
        return takePart()
    }

    /// Returns the remaining text at the end of all files, or nil if there is none.
    mutating func takeRest() -> TextBatch? {
        if let batch = take() { return batch }
        guard !batch.pieces.isEmpty else { return nil }
        (finished, batch) = (batch, TextBatch())
        return take()
    }

    /// Returns a part of a large batch, which a long line causes. Its tokens need more memory than the text, so they
    /// are not produced all at once.
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

    /// Starts a file and its first document.
    ///
    /// - Parameters:
    ///   - name: The name of the file or member.
    ///   - form: The form of its content.
    ///   - split: The split of all its documents, or nil if each document is assigned later.
    ///   - offset: The byte offset in the file of the first byte that will be appended.
    mutating func begin(_ name: String, form: Form, split: Dataset.Split?, from offset: Int = 0) {
        origin = name
        self.form = form
        self.split = split
        base = offset - batch.bytes.count
        restart(at: batch.bytes.count)
        (skipsLineBreak, hasCRLF, lines, separators) = (false, false, 0, 0)
    }

    /// Appends bytes of the current file.
    ///
    /// - Throws: `UserError(.data)` if a line of JSONL has no document or is too long.
    mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
        batch.bytes.append(contentsOf: bytes)
        try work(atEnd: false)
        if batch.bytes.count >= Self.batchSize, !batch.pieces.isEmpty { finish() }
    }

    /// Ends the current file and its last document.
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

    /// Returns the offset of the next line feed.
    private func lineBreak() -> Int? {
        batch.bytes.withUnsafeBytes { bytes in
            guard searched < bytes.count, let base = bytes.baseAddress else { return nil }
            return memchr(base + searched, 0x0A, bytes.count - searched).map { UnsafeRawPointer($0) - base }
        }
    }

    /// Adds the text of a line of JSONL as a document. The text overwrites the line in the batch. Empty lines and empty
    /// texts are skipped.
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
            // The last bytes may be the start of a separator that is not complete yet.
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

    /// Drops a line break at the start of the document. Returns false if more bytes are needed, such as the LF after a
    /// CR.
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

    /// Adds pieces of a document that is longer than a piece. At least one byte remains for the last piece.
    ///
    /// - Parameter end: The end of the document, or of the part that is known to belong to it.
    private mutating func cut(upTo end: Int) {
        while end - open > window {
            let length = batch.bytes.withUnsafeBytes {
                lastCut(UnsafeRawBufferPointer(rebasing: $0[open..<open + window]))
            }
            // The hash that assigns a JSONL document to a split needs the first bytes, wherever the text can be cut.
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

    /// Ends the document and starts the next one. An empty document is skipped.
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

    /// Completes the batch. The current document moves to the next batch.
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
