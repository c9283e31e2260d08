/// Counts invalid UTF-8 bytes and NUL characters in a text that arrives in pieces of any length.
package struct UTF8Check {
    /// The number of occurrences, and the byte offset of the first one.
    package struct Finding: Equatable {
        package private(set) var count = 0
        package private(set) var first: Int?

        fileprivate mutating func add(at offset: Int) {
            count += 1
            if first == nil { first = offset }
        }
    }

    package private(set) var invalid = Finding()
    package private(set) var nul = Finding()
    /// The bytes of an incomplete character at the end of the last piece.
    private var held: [UInt8] = []
    /// The byte offset in the text of `held`, or of the next piece if `held` is empty.
    private var offset: Int

    /// - Parameter offset: The byte offset in the file where the text starts.
    package init(from offset: Int = 0) { self.offset = offset }

    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        guard !held.isEmpty else { return scan(bytes, upTo: UTF8Scanner.lastBoundary(in: bytes)) }
        (held + bytes).withUnsafeBytes { scan($0, upTo: UTF8Scanner.lastBoundary(in: $0)) }
    }

    /// Checks the bytes that are left at the end of the text.
    package mutating func finish() {
        held.withUnsafeBytes { scan($0, upTo: $0.count) }
    }

    /// Returns the offset of the first byte of a complete text that is not UTF-8, or nil if the text is valid.
    package static func firstInvalid(in bytes: UnsafeRawBufferPointer) -> Int? {
        var check = UTF8Check()
        check.scan(bytes, upTo: bytes.count)
        return check.invalid.first
    }

    private mutating func scan(_ bytes: UnsafeRawBufferPointer, upTo end: Int) {
        var position = 0
        while position < end {
            // Skips eight characters at once if all are ASCII and none is NUL.
            while position + 8 <= end {
                let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
                let zeros = (word &- 0x0101_0101_0101_0101) & ~word
                if (word | zeros) & 0x8080_8080_8080_8080 != 0 { break }
                position += 8
            }
            guard position < end else { break }
            if bytes[position] == 0 { nul.add(at: offset + position) }
            let length = UTF8Scanner.scalar(in: bytes, at: position).length
            if length == 0 { invalid.add(at: offset + position) }
            position += max(1, length)
        }
        held = Array(bytes[end...])
        offset += end
    }
}
