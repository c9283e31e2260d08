/// A tokenizer with one token per byte. It has 256 ids, each equal to its byte, and encodes text in any encoding.
public struct ByteTokenizer: Tokenizer {
    /// The kind of tokenizer: `byte`.
    public let name = "byte"
    /// The number of ids: one for each value of a byte.
    public let vocabularySize = 256
    /// Always nil: no byte marks the end of a document.
    public let endOfText: Int32? = nil

    /// Creates the tokenizer. All byte tokenizers are equal.
    public init() {}

    /// Appends one id per byte.
    public func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) {
        ids.append(contentsOf: text.lazy.map { Int32($0) })
    }

    /// Returns the length of the text, because it can be cut after any byte.
    public func lastCut(in text: UnsafeRawBufferPointer) -> Int { text.count }

    /// Returns one byte per id. Ids outside 0 to 255 are skipped.
    public func decode(_ ids: [Int32]) -> [UInt8] {
        ids.compactMap { UInt8(exactly: $0) }
    }
}
