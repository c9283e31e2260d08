import Formats

/// A file of token ids as nanoGPT writes them, mapped: little-endian uint16 to the end of the file, no header.
public struct TokenFile: Sendable {
    /// The name in dataset.json of the elements' type.
    public static let elementType = "uint16"
    /// Ids must fit the elements.
    public static let largestVocabulary = 1 << 16

    public let path: String
    /// Tokens in the file.
    public let count: Int
    private let file: MappedFile

    /// - Parameter expectedCount: what the data set's description says.
    /// - Throws: `UserError(.inputOutput)` when the file cannot be read; `UserError(.data)` when it is empty, cut within a
    ///   token, or has another count than expected.
    public init(path: String, expectedCount: Int? = nil) throws {
        let file = try MappedFile(path: path)
        let size = file.bytes.count
        if let expectedCount, size != 2 * expectedCount {
            throw UserError(
                .data,
                """
                \(path) has \(size) bytes, but dataset.json says \(expectedCount) tokens of 2 bytes: \
                it was cut short or replaced; prepare the data set again
                """
            )
        }
        guard size > 0 else { throw UserError(.data, "\(path) is empty; prepare the data set again") }
        guard size % 2 == 0 else {
            throw UserError(
                .data,
                "\(path) has \(size) bytes, an odd number, but its tokens have 2 bytes: it was cut short; prepare it again"
            )
        }
        self.path = path
        self.file = file
        count = size / 2
    }

    /// Copies tokens; returns the largest id among them.
    ///
    /// - Parameters:
    ///   - position: the first token; `position + count` is at most the file's count.
    ///   - destination: room for `count` ids.
    func copy(from position: Int, count: Int, into destination: UnsafeMutablePointer<Int32>) -> Int32 {
        precondition(position >= 0 && count >= 0 && position + count <= self.count)
        var largest: UInt16 = 0
        // The loops stay free of other work so that they become vector code.
        elements(position, count) { elements in
            for index in 0..<count {
                let id = UInt16(littleEndian: elements[index])
                destination[index] = Int32(id)
                largest = max(largest, id)
            }
        }
        return Int32(largest)
    }

    /// The first position of an id that is not below `vocabularySize`, if there is one.
    func firstPosition(beyond vocabularySize: Int, in range: Range<Int>) -> (position: Int, id: Int)? {
        elements(range.lowerBound, range.count) { elements in
            let blockSize = 1 << 16
            for blockStart in stride(from: 0, to: elements.count, by: blockSize) {
                let block = blockStart..<min(blockStart + blockSize, elements.count)
                var largest: UInt16 = 0
                for index in block { largest = max(largest, UInt16(littleEndian: elements[index])) }
                guard Int(largest) >= vocabularySize else { continue }
                for index in block where Int(UInt16(littleEndian: elements[index])) >= vocabularySize {
                    return (range.lowerBound + index, Int(UInt16(littleEndian: elements[index])))
                }
            }
            return nil
        }
    }

    /// SHA-256 of the first and the last 64 KiB: tells files apart without reading gigabytes.
    var fingerprint: String {
        let bytes = file.bytes
        let piece = min(bytes.count, 1 << 16)
        let first = Checksum.sha256(of: UnsafeRawBufferPointer(rebasing: bytes[..<piece]))
        let last = Checksum.sha256(of: UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - piece)...]))
        return Checksum.sha256(of: "\(count) \(first) \(last)")
    }

    private func elements<Result>(_ position: Int, _ count: Int, _ body: (UnsafeBufferPointer<UInt16>) -> Result)
        -> Result
    {
        // A mapping starts at a page, so the elements are aligned.
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[2 * position..<2 * (position + count)])
        return withExtendedLifetime(file) { body(bytes.assumingMemoryBound(to: UInt16.self)) }
    }
}
