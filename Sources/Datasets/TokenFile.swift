import Formats
import Platform

/// A file of token ids, mapped: pages come from disk as they are read, so that it may be larger than memory.
///
/// Three forms are read, all little-endian, told apart by their first bytes:
/// ```
/// nanoGPT, and ours           ids to the end of the file, no header
/// llm.c and modded-nanogpt    256 int32 (20240520, 1, number of tokens, …), then GPT-2's ids as uint16
/// llm.c, Llama 3              256 int32 (20240801, 7, number of tokens, …), then its ids as uint32
/// ```
/// 20240520 read as uint16 begins with 55432, which is no id of GPT-2.
public struct TokenFile: Sendable {
    /// The type of the ids, by its name in dataset.json.
    public enum ElementType: String, CaseIterable, Sendable {
        case uint16, uint32

        package var byteCount: Int { self == .uint16 ? 2 : 4 }
    }

    /// How a file says what it holds.
    package enum Form: Equatable, Sendable {
        case headerless(ElementType)
        case gpt2Shard
        case llama3Shard

        var elementType: ElementType {
            switch self {
            case .headerless(let type): type
            case .gpt2Shard: .uint16
            case .llama3Shard: .uint32
            }
        }

        /// For messages, after "it is".
        package var text: String {
            switch self {
            case .headerless(let type): "\(type.rawValue) without a header"
            case .gpt2Shard: "an llm.c shard of GPT-2 tokens"
            case .llama3Shard: "an llm.c shard of Llama 3 tokens"
            }
        }
    }

    /// Ids must fit the elements.
    public static let largestVocabulary = 1 << 16

    /// The path that it was opened with.
    public let path: String
    /// Tokens in the file.
    public let count: Int
    package let form: Form
    private let file: MappedFile
    /// Bytes before the first token.
    private let offset: Int

    /// - Parameters:
    ///   - elementType: of the ids in a file without a header.
    ///   - expectedCount: what the dataset's description says.
    /// - Throws: `UserError(.inputOutput)` when the file cannot be read; `UserError(.data)` when it is empty, cut within a
    ///   token, has another count than expected or than its header says, or a header of another version.
    public init(path: String, elementType: ElementType = .uint16, expectedCount: Int? = nil) throws {
        let file = try MappedFile(path: path)
        let size = file.bytes.count
        let width = elementType.byteCount
        guard size > 0 else { throw UserError(.data, "\(path) is empty; prepare the data set again") }
        self.path = path
        self.file = file
        // What dataset.json says goes first: ids of a large vocabulary could look like a header.
        let isDescribed = expectedCount.map { size == $0 * width } ?? false
        let header = isDescribed ? nil : try Header(file)
        form = header?.form ?? .headerless(elementType)
        offset = header == nil ? 0 : Header.byteCount
        count = header?.count ?? size / width
        if let expectedCount, count != expectedCount || size != offset + expectedCount * width {
            throw UserError(
                .data,
                """
                \(path) has \(size) bytes, but dataset.json says \(expectedCount) tokens of \(width) bytes: \
                it was cut short or replaced; prepare the data set again
                """
            )
        }
        guard header != nil || size % width == 0 else {
            throw UserError(
                .data,
                """
                \(path) has \(size) bytes, \(width == 2 ? "an odd number" : "no multiple of 4"), but its tokens have \
                \(width) bytes: it was cut short; prepare it again
                """
            )
        }
    }

    /// What an llm.c shard says about itself, if the file is one.
    private struct Header {
        static let byteCount = 256 * 4

        let form: Form
        let count: Int

        init?(_ file: MappedFile) throws {
            guard file.bytes.count >= Self.byteCount else { return nil }
            func word(_ index: Int) -> Int {
                Int(Int32(littleEndian: file.bytes.load(fromByteOffset: 4 * index, as: Int32.self)))
            }
            let version: Int
            switch word(0) {
            case 20_240_520: (form, version) = (.gpt2Shard, 1)
            case 20_240_801: (form, version) = (.llama3Shard, 7)
            default: return nil
            }
            guard word(1) == version else {
                throw UserError(
                    .data,
                    """
                    \(file.path) is \(form.text), but of version \(word(1)); this program reads version \(version): \
                    download or make it again
                    """
                )
            }
            count = word(2)
            let size = Self.byteCount + count * form.elementType.byteCount
            guard count > 0, file.bytes.count == size else {
                throw UserError(
                    .data,
                    """
                    \(file.path) has \(file.bytes.count) bytes, but its header says \(count) tokens, which take \
                    \(max(size, Self.byteCount)): it was cut short or is damaged; download or make it again
                    """
                )
            }
        }
    }

    /// Bytes of the file.
    package var byteCount: Int { file.bytes.count }

    /// Copies tokens; returns the largest id among them.
    ///
    /// - Parameters:
    ///   - position: the first token; `position + count` is at most the file's count.
    ///   - destination: room for `count` ids.
    func copy(from position: Int, count: Int, into destination: UnsafeMutablePointer<Int32>) -> Int {
        // The loop stays free of other work so that it becomes vector code.
        func copy<Element: FixedWidthInteger & UnsignedInteger>(_ elements: UnsafeBufferPointer<Element>) -> Int {
            var largest: Element = 0
            for index in 0..<elements.count {
                let id = Element(littleEndian: elements[index])
                destination[index] = Int32(truncatingIfNeeded: id)
                largest = max(largest, id)
            }
            return Int(largest)
        }
        return elements(position..<position + count, copy, copy)
    }

    /// The largest id in a range of positions; 0 of none.
    func largestID(in range: Range<Int>) -> Int {
        func largest<Element: FixedWidthInteger & UnsignedInteger>(_ elements: UnsafeBufferPointer<Element>) -> Int {
            var largest: Element = 0
            for index in 0..<elements.count { largest = max(largest, Element(littleEndian: elements[index])) }
            return Int(largest)
        }
        return elements(range, largest, largest)
    }

    /// Gives back the memory of tokens that will not be read again soon.
    func release(_ range: Range<Int>) {
        let width = form.elementType.byteCount
        file.release(offset + width * range.lowerBound..<offset + width * range.upperBound)
    }

    /// The first position of an id that is not below `vocabularySize`, if there is one.
    func firstPosition(beyond vocabularySize: Int, in range: Range<Int>) -> (position: Int, id: Int)? {
        let blockSize = 1 << 16
        for start in stride(from: range.lowerBound, to: range.upperBound, by: blockSize) {
            let block = start..<min(start + blockSize, range.upperBound)
            guard largestID(in: block) >= vocabularySize else { continue }
            for position in block {
                let id = largestID(in: position..<position + 1)
                if id >= vocabularySize { return (position, id) }
            }
        }
        return nil
    }

    /// SHA-256 of the first and the last 64 KiB: tells files apart without reading gigabytes.
    var fingerprint: String {
        let bytes = file.bytes
        let piece = min(bytes.count, 1 << 16)
        let first = Checksum.sha256(of: UnsafeRawBufferPointer(rebasing: bytes[..<piece]))
        let last = Checksum.sha256(of: UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - piece)...]))
        return Checksum.sha256(of: "\(count) \(first) \(last)")
    }

    private func elements<Result>(
        _ range: Range<Int>,
        _ narrow: (UnsafeBufferPointer<UInt16>) -> Result,
        _ wide: (UnsafeBufferPointer<UInt32>) -> Result
    ) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "tokens \(range) of \(count)")
        // A mapping starts at a page and a header has 1024 bytes, so the elements are aligned.
        let width = form.elementType.byteCount
        let bytes = UnsafeRawBufferPointer(
            rebasing: file.bytes[offset + width * range.lowerBound..<offset + width * range.upperBound]
        )
        return withExtendedLifetime(file) {
            switch form.elementType {
            case .uint16: narrow(bytes.assumingMemoryBound(to: UInt16.self))
            case .uint32: wide(bytes.assumingMemoryBound(to: UInt32.self))
            }
        }
    }
}
