import Formats
import Platform

/// A memory-mapped file of token ids, which can be larger than memory.
///
/// Four forms are supported, all little-endian. The first bytes of the file determine the form:
/// ```
/// nanoGPT, ddp-train          ids to the end of the file, no header
/// llm.c and modded-nanogpt    256 int32 (20240520, 1, number of tokens, …), then GPT-2's ids as uint16
/// llm.c, Llama 3              256 int32 (20240801, 7, number of tokens, …), then its ids as uint32
/// numpy.save                  an NPY header with type and shape, then the ids
/// ```
/// The first two bytes of 20240520, read as uint16, are 55432, which is not a GPT-2 id. Ids without a header are uint16
/// unless `TokenBytes` detects another type.
public struct TokenFile: Sendable {
    /// The type of the ids. The raw value is its name in dataset.json.
    public enum ElementType: String, CaseIterable, Sendable {
        case uint16, uint32

        package var byteCount: Int { self == .uint16 ? 2 : 4 }
    }

    /// The form of a file.
    package enum Form: Equatable, Sendable {
        case headerless(TokenType)
        case numPy(TokenType)
        case gpt2Shard
        case llama3Shard

        var type: TokenType {
            switch self {
            case .headerless(let type), .numPy(let type): type
            case .gpt2Shard: .uint16
            case .llama3Shard: .uint32
            }
        }

        /// For messages, after "it is".
        package var text: String {
            switch self {
            case .headerless(let type): "\(type) without a header"
            case .numPy(let type): "an NPY file of \(type)"
            case .gpt2Shard: "an llm.c shard of GPT-2 tokens"
            case .llama3Shard: "an llm.c shard of Llama 3 tokens"
            }
        }
    }

    /// The largest vocabulary whose ids fit in uint16.
    public static let largestVocabulary = 1 << 16

    /// The path with which the file was opened.
    public let path: String
    /// The number of tokens in the file.
    public let count: Int
    package let form: Form
    private let file: MappedFile
    /// The number of bytes before the first token.
    private let offset: Int

    /// Opens a token file.
    ///
    /// - Parameters:
    ///   - path: the file's path.
    ///   - elementType: the type of the ids if the file has no header.
    ///   - expectedCount: the number of tokens in dataset.json; nil if unknown.
    /// - Throws: `UserError(.inputOutput)` if the file cannot be read. `UserError(.data)` if it ends in the middle of a
    ///   token, if its size does not match `expectedCount` or its header, or if its header is not supported.
    public init(path: String, elementType: ElementType = .uint16, expectedCount: Int? = nil) throws {
        try self.init(MappedFile(path: path), type: TokenType(elementType), expectedCount: expectedCount)
    }

    private init(_ file: MappedFile, type: TokenType, expectedCount: Int? = nil) throws {
        path = file.path
        self.file = file
        let (size, width) = (file.bytes.count, type.byteCount)
        // The size in dataset.json takes precedence, because ids of a large vocabulary could look like a header.
        let isDescribed = expectedCount.map { size == $0 * width } ?? false
        let header = isDescribed ? nil : try Header(file)
        form = header?.form ?? .headerless(type)
        offset = header?.byteCount ?? 0
        count = header?.count ?? size / width
        if let expectedCount, count != expectedCount || size != offset + expectedCount * width {
            throw UserError(
                .data,
                """
                \(path) has \(size) bytes, but dataset.json says \(expectedCount) tokens of \(width) bytes: \
                it was truncated or replaced; prepare the dataset again
                """
            )
        }
        guard header != nil || size % width == 0 else {
            throw UserError(
                .data,
                """
                \(path) has \(size) bytes, which is not a whole number of tokens of \(width) bytes: it was truncated, \
                or has ids of another type; prepare it again
                """
            )
        }
    }

    /// The same file read with another type of ids. A file with a header is returned unchanged.
    ///
    /// - Throws: `UserError(.data)` if the file ends in the middle of a token.
    func read(as type: TokenType) throws -> TokenFile {
        guard case .headerless(let own) = form, own != type else { return self }
        return try TokenFile(file, type: type)
    }

    /// The size of the file in bytes.
    package var byteCount: Int { file.bytes.count }

    /// Calls `body` with the bytes of a file without a header. Returns nil for a file with a header.
    func withHeaderlessBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result? {
        guard case .headerless = form else { return nil }
        return try withExtendedLifetime(file) { try body(file.bytes) }
    }

    // MARK: - Reading

    /// Copies tokens and returns the largest id among them, or `Int.max` if an id is negative.
    ///
    /// - Parameters:
    ///   - position: the first token. `position + count` must be at most the file's count.
    ///   - destination: receives the ids. Must have room for `count` ids.
    func copy(from position: Int, count: Int, into destination: UnsafeMutablePointer<Int32>) -> Int {
        // The loop has no other work, so the compiler can vectorize it.
        func copy<Element: FixedWidthInteger & UnsignedInteger>(_: Element.Type) -> Int {
            withElements(Element.self, position..<position + count) { elements in
                var largest: Element = 0
                for index in 0..<elements.count {
                    let id = Element(littleEndian: elements[index])
                    destination[index] = Int32(truncatingIfNeeded: id)
                    largest = max(largest, id)
                }
                return form.type.id(largest)
            }
        }
        return switch form.type.byteCount {
        case 1: copy(UInt8.self)
        case 2: copy(UInt16.self)
        case 4: copy(UInt32.self)
        default: copy(UInt64.self)
        }
    }

    /// The largest id in a range of positions, `Int.max` if an id is negative, or 0 for an empty range.
    func largestID(in range: Range<Int>) -> Int {
        func largest<Element: FixedWidthInteger & UnsignedInteger>(_: Element.Type) -> Int {
            withElements(Element.self, range) { elements in
                var largest: Element = 0
                for index in 0..<elements.count { largest = max(largest, Element(littleEndian: elements[index])) }
                return form.type.id(largest)
            }
        }
        return switch form.type.byteCount {
        case 1: largest(UInt8.self)
        case 2: largest(UInt16.self)
        case 4: largest(UInt32.self)
        default: largest(UInt64.self)
        }
    }

    /// Gives back the memory of tokens that will not be read again soon.
    func release(_ range: Range<Int>) { file.release(bytes(ofTokens: range)) }

    /// Begins to read bytes of the file from disk, and does not wait for them.
    func prefetch(bytes: Range<Int>) { file.prefetch(bytes) }

    /// Where tokens are in the file, in bytes.
    func bytes(ofTokens range: Range<Int>) -> Range<Int> {
        let width = form.type.byteCount
        return offset + width * range.lowerBound..<offset + width * range.upperBound
    }

    /// The first id in the range that is negative or not below `vocabularySize`, with its position; nil if there is
    /// none.
    func firstPosition(beyond vocabularySize: Int, in range: Range<Int>) -> (position: Int, id: Int)? {
        let blockSize = 1 << 16
        for start in stride(from: range.lowerBound, to: range.upperBound, by: blockSize) {
            let block = start..<min(start + blockSize, range.upperBound)
            guard largestID(in: block) >= vocabularySize else { continue }
            for position in block where largestID(in: position..<position + 1) >= vocabularySize {
                return (position, id(at: position))
            }
        }
        return nil
    }

    /// The id at a position, which may be negative in a signed type.
    private func id(at position: Int) -> Int {
        let width = form.type.byteCount
        let bytes = file.bytes[offset + width * position..<offset + width * (position + 1)]
        let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let unused = 64 - 8 * width
        return form.type.isSigned ? Int(Int64(bitPattern: bits << unused) >> unused) : Int(clamping: bits)
    }

    /// Bytes at each end that the fingerprint is made of.
    static let fingerprintedBytes = 1 << 16

    /// SHA-256 of the first and the last 64 KiB: tells files apart without reading gigabytes.
    var fingerprint: String {
        let bytes = file.bytes
        let piece = min(bytes.count, Self.fingerprintedBytes)
        let first = Checksum.sha256(of: UnsafeRawBufferPointer(rebasing: bytes[..<piece]))
        let last = Checksum.sha256(of: UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - piece)...]))
        return Checksum.sha256(of: "\(count) \(first) \(last)")
    }

    private func withElements<Element, Result>(
        _: Element.Type,
        _ range: Range<Int>,
        _ body: (UnsafeBufferPointer<Element>) -> Result
    ) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "tokens \(range) of \(count)")
        // A mapping starts at a page and a header ends at a multiple of the width, so the elements are aligned.
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[bytes(ofTokens: range)])
        return withExtendedLifetime(file) { body(bytes.assumingMemoryBound(to: Element.self)) }
    }
}

extension TokenFile {
    /// The header of a file.
    private struct Header {
        let form: Form
        let count: Int
        let byteCount: Int

        /// Returns nil for a file without a header.
        init?(_ file: MappedFile) throws {
            if let header = try NumPyHeader(file.bytes, path: file.path) {
                try self.init(header, file)
            } else {
                try self.init(shard: file)
            }
        }

        private init(_ header: NumPyHeader, _ file: MappedFile) throws {
            func refused(_ reason: String) -> UserError {
                UserError(.data, "\(file.path) is an NPY file \(reason)")
            }
            guard let type = TokenType(numPyDescriptor: header.descriptor) else {
                let isBigEndian = header.descriptor.hasPrefix(">")
                let kind = isBigEndian ? "big-endian numbers" : "elements that are not token ids"
                throw refused(
                    "of \(kind) (\(header.descriptor)); save it again with `ids.astype(numpy.uint16)`, or uint32"
                )
            }
            guard header.shape.count == 1 else {
                let sizes = header.shape.map { "\($0)" }.joined(separator: ", ")
                throw refused(
                    "of shape (\(sizes)), but tokens must have one dimension; save it again with `ids.ravel()`"
                )
            }
            (form, count, byteCount) = (.numPy(type), header.shape[0], header.byteCount)
            let rest = file.bytes.count - byteCount
            guard rest / type.byteCount == count, rest % type.byteCount == 0 else {
                throw refused(
                    """
                    of \(count) ids of \(type.byteCount) bytes, but has \(rest) bytes after its header: it was \
                    truncated, or something was appended; save it again
                    """
                )
            }
            guard byteCount % type.byteCount == 0 else {
                throw refused("whose ids start at byte \(byteCount), unlike any file that NumPy writes; save it again")
            }
        }

        /// Reads the header of an llm.c shard.
        private init?(shard file: MappedFile) throws {
            byteCount = 256 * 4
            guard file.bytes.count >= byteCount else { return nil }
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
                    \(file.path) is \(form.text) of version \(word(1)), but only version \(version) is supported: \
                    download or make it again
                    """
                )
            }
            count = word(2)
            let size = byteCount + count * form.type.byteCount
            guard count > 0, file.bytes.count == size else {
                throw UserError(
                    .data,
                    """
                    \(file.path) has \(file.bytes.count) bytes, but its header says \(count) tokens, which need \
                    \(max(size, byteCount)): it was truncated or is damaged; download or make it again
                    """
                )
            }
        }
    }
}
