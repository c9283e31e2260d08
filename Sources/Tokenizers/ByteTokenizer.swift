/// One token a byte: id = byte, 256 ids, any text in any encoding.
public struct ByteTokenizer: Tokenizer {
    /// `byte`.
    public let name = "byte"
    /// The values of a byte.
    public let vocabularySize = 256
    /// No byte ends a document.
    public let endOfText: Int32? = nil

    /// All of these are equal.
    public init() {}

    /// Appends each byte as its id.
    public func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) {
        ids.append(contentsOf: text.lazy.map { Int32($0) })
    }

    /// The end of the text: it can be cut anywhere.
    public func lastCut(in text: UnsafeRawBufferPointer) -> Int { text.count }

    /// The bytes themselves; ids that are no byte give nothing.
    public func decode(_ ids: [Int32]) -> [UInt8] {
        ids.compactMap { UInt8(exactly: $0) }
    }
}
