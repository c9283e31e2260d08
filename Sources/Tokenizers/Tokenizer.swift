/// Turns text into token ids and back.
public protocol Tokenizer: Sendable {
    /// What kind it is: `char`, `byte` or `bpe`.
    var name: String { get }

    /// Ids are `0..<vocabularySize`.
    var vocabularySize: Int { get }

    /// The id that ends a document, where the tokenizer has one: generation stops there.
    var endOfText: Int32? { get }

    /// Appends the ids of a text. Threads may encode with one tokenizer at once.
    ///
    /// The ids of a long text are those of its pieces if it is cut where `lastCut(in:)` says, and in general only then.
    /// - Throws: `UserError(.data)` naming the byte offset in `text` of what cannot be encoded.
    func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) throws

    /// The last place where a text that goes on can be cut: what lies before it and what follows from it on, whatever
    /// that is, encoded apart have the ids of the whole.
    ///
    /// - Returns: a byte offset; 0 when there is none in what is here, so that more of the text is needed. Doubling
    ///   what is looked at keeps the time of a long search linear.
    func lastCut(in text: UnsafeRawBufferPointer) -> Int

    /// The bytes of some ids; ids outside the vocabulary give nothing.
    func decode(_ ids: [Int32]) -> [UInt8]
}

extension Tokenizer {
    /// The ids of a text of UTF-8 bytes.
    ///
    /// - Throws: `UserError(.data)` naming the byte offset of what cannot be encoded.
    public func encode(_ text: [UInt8]) throws -> [Int32] {
        var ids: [Int32] = []
        try text.withUnsafeBytes { try encode($0, into: &ids) }
        return ids
    }

    /// The ids of a text.
    ///
    /// - Throws: `UserError(.data)` naming the byte offset, in UTF-8, of what cannot be encoded.
    public func encode(_ text: String) throws -> [Int32] {
        try encode(Array(text.utf8))
    }
}
