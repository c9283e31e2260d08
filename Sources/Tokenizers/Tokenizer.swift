/// Turns text into token ids and back.
public protocol Tokenizer: Sendable {
    /// The kind of tokenizer: `char`, `byte` or `bpe`.
    var name: String { get }

    /// The number of ids. Valid ids are `0..<vocabularySize`.
    var vocabularySize: Int { get }

    /// The id that marks the end of a document, or nil if the tokenizer has none. Generation stops at this id.
    var endOfText: Int32? { get }

    /// Appends the ids of a text. Several threads can use one tokenizer at the same time.
    ///
    /// A long text can be encoded in pieces. The ids are the same as those of the whole text if each cut is at a place
    /// that `lastCut(in:)` returns; other cuts can change the ids.
    /// - Throws: `UserError(.data)` with the byte offset in `text` of the first bytes that cannot be encoded.
    func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) throws

    /// Returns the last place where a text can be cut without changing its ids, whatever text follows.
    ///
    /// - Parameter text: The start of a text, which may continue.
    /// - Returns: A byte offset, or 0 if `text` cannot be cut; then call again with more of the text. Doubling the
    ///   length for each call keeps the total time linear.
    func lastCut(in text: UnsafeRawBufferPointer) -> Int

    /// Returns the bytes that the ids stand for. Ids outside the vocabulary are skipped.
    func decode(_ ids: [Int32]) -> [UInt8]
}

extension Tokenizer {
    /// Returns the ids of a text.
    ///
    /// - Parameter text: The bytes of the text: UTF-8, or anything if the tokenizer encodes any bytes.
    /// - Throws: `UserError(.data)` with the byte offset of the first bytes that cannot be encoded.
    public func encode(_ text: [UInt8]) throws -> [Int32] {
        var ids: [Int32] = []
        try text.withUnsafeBytes { try encode($0, into: &ids) }
        return ids
    }

    /// Returns the ids of a text.
    ///
    /// - Throws: `UserError(.data)` with the offset, in bytes of UTF-8, of the first character that cannot be encoded.
    public func encode(_ text: String) throws -> [Int32] {
        try encode(Array(text.utf8))
    }
}
