import Datasets

/// Some text, in order: whole documents, and parts of those that are too long to be held at once.
struct TextBatch: Sendable {
    enum Form: Sendable {
        case text
        /// A line of JSONL: the text is one of its fields.
        case jsonLine
    }

    struct Piece: Sendable {
        /// Where in the batch's bytes.
        var range: Range<Int>
        var form: Form
        var startsDocument: Bool
        var endsDocument: Bool
        /// The split it belongs to whatever it says; nil where that is to be decided.
        var split: Dataset.Split?
        /// What it was read from, for messages, and at which byte of that (of text; of JSONL, the line's start).
        var origin: String
        var offset: Int
    }

    var bytes: [UInt8] = []
    var pieces: [Piece] = []

    /// The text of a piece.
    ///
    /// - Parameter field: of a line of JSONL.
    /// - Throws: `UserError(.data)` for a line that is not JSON or has no such text; what `body` throws.
    func withText<R>(of piece: Piece, field: String, _ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
        try bytes.withUnsafeBytes { bytes in
            let text = UnsafeRawBufferPointer(rebasing: bytes[piece.range])
            switch piece.form {
            case .text: return try body(text)
            case .jsonLine:
                var content = try JSONLine.text(of: text, field: field, origin: piece.origin, offset: piece.offset)
                return try content.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
            }
        }
    }
}
