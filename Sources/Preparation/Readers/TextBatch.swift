import Datasets

/// A part of the text: whole documents, and pieces of documents that are too long for one batch.
struct TextBatch: Sendable {
    struct Piece: Sendable {
        /// The range in the bytes of the batch.
        var range: Range<Int>
        var startsDocument: Bool
        var endsDocument: Bool
        /// The split of the piece, or nil if it is assigned later.
        var split: Dataset.Split?
        /// The name of the file or member, for messages.
        var origin: String
        /// The byte offset of the piece in the file. For JSONL, it is the approximate start of the line.
        var offset: Int
    }

    var bytes: [UInt8] = []
    var pieces: [Piece] = []

    /// Calls `body` with the text of a piece.
    func withText<R>(of piece: Piece, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try bytes.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[piece.range])) }
    }
}
