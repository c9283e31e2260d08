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
    static let longestLine = 1 << 30

    /// Ends a document wherever it stands; empty for none. The line break after it belongs to it.
    private let separator: [UInt8]
    /// The last place in some text where it may be cut; 0 when there is none.
    private let lastCut: (UnsafeRawBufferPointer) -> Int
    private var batch = TextBatch()
    private var finished: TextBatch?

    /// Of what is being read.
    private var origin = ""
    private var form = TextBatch.Form.text
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

    init(separator: String?, lastCut: @escaping (UnsafeRawBufferPointer) -> Int) {
        self.separator = Array((separator ?? "").utf8)
        self.lastCut = lastCut
    }

    /// Takes a batch that is complete.
    mutating func take() -> TextBatch? {
        defer { finished = nil }
        return finished
    }

    /// Takes what is left, at the end of everything.
    mutating func takeRest() -> TextBatch? {
        if let batch = take() { return batch }
        guard !batch.pieces.isEmpty else { return nil }
        defer { batch = TextBatch() }
        return batch
    }

    // MARK: - One file or member

    /// A file begins, and a document with it.
    mutating func begin(_ name: String, form: TextBatch.Form, split: Dataset.Split?) {
        origin = name
        self.form = form
        self.split = split
        base = -batch.bytes.count
        restart(at: batch.bytes.count)
        skipsLineBreak = false
    }

    /// - Throws: `UserError(.data)` for a line of JSONL beyond all measure.
    mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
        batch.bytes.append(contentsOf: bytes)
        try work(atEnd: false)
        if batch.bytes.count >= Self.batchSize, !batch.pieces.isEmpty { finish() }
    }

    /// The file ends, and its last document.
    mutating func end() throws {
        try work(atEnd: true)
        close(at: batch.bytes.count, next: batch.bytes.count)
        if batch.bytes.count >= Self.batchSize, !batch.pieces.isEmpty { finish() }
    }

    private mutating func work(atEnd: Bool) throws {
        switch form {
        case .jsonLine: try splitLines()
        case .text: splitText(atEnd: atEnd)
        }
    }

    private mutating func splitLines() throws {
        while let end = find([0x0A]) { close(at: end, next: end + 1) }
        searched = batch.bytes.count
        guard batch.bytes.count - open <= Self.longestLine else {
            throw UserError(
                .data,
                "\(origin): the line at byte \(base + open) is longer than \(Self.longestLine) bytes"
            )
        }
    }

    private mutating func splitText(atEnd: Bool) {
        while true {
            if skipsLineBreak {
                guard dropLineBreak(atEnd: atEnd) else { return }
            }
            let end = separator.isEmpty ? nil : find(separator)
            let known = end ?? max(open, batch.bytes.count - (atEnd ? 0 : max(0, separator.count - 1)))
            searched = known
            cut(upTo: known)
            guard let end else { return }
            close(at: end, next: end + separator.count)
            skipsLineBreak = true
        }
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
            if length > 0 {
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
        if form == .jsonLine ? batch.bytes[open..<end].contains(where: { $0 > 0x20 }) : end > open {
            add(open..<end, endsDocument: true)
        }
        restart(at: next)
    }

    private mutating func restart(at position: Int) {
        (open, searched, window, startsDocument) = (position, position, Self.pieceSize, true)
    }

    private mutating func add(_ range: Range<Int>, endsDocument: Bool) {
        batch.pieces.append(
            .init(
                range: range,
                form: form,
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

    /// The next place of a pattern in the open document.
    private func find(_ pattern: [UInt8]) -> Int? {
        batch.bytes.withUnsafeBytes { bytes in
            var position = max(open, searched)
            while position + pattern.count <= bytes.count {
                let rest = bytes.count - pattern.count + 1 - position
                guard let found = memchr(bytes.baseAddress! + position, Int32(pattern[0]), rest) else { return nil }
                position = UnsafeRawPointer(found) - bytes.baseAddress!
                if memcmp(found, pattern, pattern.count) == 0 { return position }
                position += 1
            }
            return nil
        }
    }
}
