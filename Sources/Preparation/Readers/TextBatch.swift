import Datasets

/// Some text, in order: whole documents, and parts of those that are too long to be held at once.
struct TextBatch: Sendable {
    struct Piece: Sendable {
        /// Where in the batch's bytes.
        var range: Range<Int>
        var startsDocument: Bool
        var endsDocument: Bool
        /// The split it belongs to whatever it says; nil where that is to be decided.
        var split: Dataset.Split?
        /// What it was read from, for messages, and at which byte of that (of text; of JSONL, near the line's start).
        var origin: String
        var offset: Int
    }

    var bytes: [UInt8] = []
    var pieces: [Piece] = []

    /// Calls with the text of a piece.
    func withText<R>(of piece: Piece, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try bytes.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[piece.range])) }
    }
}
