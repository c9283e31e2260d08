/// Where the documents of a batch end, so that attention stays within each: no token sees one of another document.
///
/// A document ends with its end-of-text token, which belongs to it; what follows begins the next one. The first and the last document
/// of a window may be pieces. Positions are not counted anew: a token's position embedding is that of its place in the window.
public struct DocumentBoundaries: Equatable, Sendable {
    /// The id that ends a document.
    public var endOfText: Int32

    /// Documents end with this id.
    public init(endOfText: Int32) { self.endOfText = endOfText }

    /// The documents of one sequence, as ranges of its `length` tokens: in order, without holes, none empty.
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
