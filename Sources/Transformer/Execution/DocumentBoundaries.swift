/// The end of each document in a batch, so that no token attends to a token of another document.
///
/// A document ends with its end-of-text token; the next document begins after it. The first and last document of a
/// sequence may be incomplete. Positions do not restart at a document: a token's position embedding is that of its
/// position in the sequence.
public struct DocumentBoundaries: Equatable, Sendable {
    /// The id of the token that ends a document.
    public var endOfText: Int32

    /// Creates boundaries after each token with this id.
    public init(endOfText: Int32) { self.endOfText = endOfText }

    /// Returns the documents of one sequence as ranges of its `length` tokens, in order and without gaps. No range is
    /// empty.
    func documents(_ tokens: UnsafePointer<Int32>, length: Int) -> [Range<Int>] {
        var documents: [Range<Int>] = []
        var start = 0
        for index in 0..<length where tokens[index] == endOfText {
            documents.append(start..<index + 1)
            start = index + 1
        }
        if start < length { documents.append(start..<length) }
        return documents
    }
}
