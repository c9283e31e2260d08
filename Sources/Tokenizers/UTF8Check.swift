/// Counts the bytes of a text that are not UTF-8, and its NUL characters, while the text comes in pieces of any length.
package struct UTF8Check {
    /// How often something was found, and at which byte first.
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
    /// The beginning of a character that the last piece ended in.
    private var held: [UInt8] = []
    /// The byte of the text that the held ones, or the next piece, start at.
    private var offset: Int

    /// - Parameter offset: the byte of the file that the text starts at.
    package init(from offset: Int = 0) { self.offset = offset }

    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        guard !held.isEmpty else { return scan(bytes, upTo: UTF8Scanner.lastBoundary(in: bytes)) }
        (held + bytes).withUnsafeBytes { scan($0, upTo: UTF8Scanner.lastBoundary(in: $0)) }
    }

    /// The text ends.
    package mutating func finish() {
        held.withUnsafeBytes { scan($0, upTo: $0.count) }
    }

    /// The first byte of a whole text that is not UTF-8; nil if all of it is.
    package static func firstInvalid(in bytes: UnsafeRawBufferPointer) -> Int? {
        var check = UTF8Check()
        check.scan(bytes, upTo: bytes.count)
        return check.invalid.first
    }

    private mutating func scan(_ bytes: UnsafeRawBufferPointer, upTo end: Int) {
        var position = 0
        while position < end {
            // Eight characters at once, where they are ASCII and none is NUL.
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
