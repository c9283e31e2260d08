/// One token a byte: id = byte, 256 ids, any text in any encoding.
public struct ByteTokenizer: Tokenizer {
    public let name = "byte"
    public let vocabularySize = 256
    public let endOfText: Int32? = nil

    public init() {}

    public func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) {
        ids.append(contentsOf: text.lazy.map { Int32($0) })
    }

    public func lastCut(in text: UnsafeRawBufferPointer) -> Int { text.count }

    public func decode(_ ids: [Int32]) -> [UInt8] {
        ids.compactMap { UInt8(exactly: $0) }
    }
}
