import Platform

/// Reads Unicode scalars from UTF-8 and rejects overlong forms, surrogates and values above U+10FFFF (RFC 3629).
package enum UTF8Scanner {
    /// Returns the scalar at `position` and its length in bytes, which is 0 if the bytes there are not UTF-8.
    @inline(__always)
    static func scalar(in bytes: UnsafeRawBufferPointer, at position: Int) -> (value: UInt32, length: Int) {
        let first = UInt32(bytes[position])
        if first < 0x80 { return (first, 1) }
        let rest = bytes.count - position
        guard first >= 0xC2, first < 0xF5, rest >= 2 else { return (0, 0) }
        let second = UInt32(bytes[position + 1])
        guard second & 0xC0 == 0x80 else { return (0, 0) }
        if first < 0xE0 { return ((first & 0x1F) << 6 | second & 0x3F, 2) }
        guard rest >= 3, bytes[position + 2] & 0xC0 == 0x80 else { return (0, 0) }
        let third = UInt32(bytes[position + 2]) & 0x3F
        if first < 0xF0 {
            let value = (first & 0x0F) << 12 | (second & 0x3F) << 6 | third
            return value >= 0x800 && !(0xD800..<0xE000).contains(value) ? (value, 3) : (0, 0)
        }
        guard rest >= 4, bytes[position + 3] & 0xC0 == 0x80 else { return (0, 0) }
        let fourth = UInt32(bytes[position + 3]) & 0x3F
        let value = (first & 0x07) << 18 | (second & 0x3F) << 12 | third << 6 | fourth
        return value >= 0x10000 && value < 0x110000 ? (value, 4) : (0, 0)
    }

    /// Returns the scalar that ends at `position` and its length in bytes, which is 0 if there is no byte before
    /// `position` or the bytes there are not UTF-8.
    static func scalar(before position: Int, in bytes: UnsafeRawBufferPointer) -> (value: UInt32, length: Int) {
        for length in 1...4 where length <= position && bytes[position - length] & 0xC0 != 0x80 {
            let found = scalar(in: bytes, at: position - length)
            return found.length == length ? found : (0, 0)
        }
        return (0, 0)
    }

    /// Returns the length of the text, or the start of its last scalar if that scalar is incomplete.
    package static func lastBoundary(in bytes: UnsafeRawBufferPointer) -> Int {
        for length in 1...3 where length <= bytes.count {
            let lead = bytes[bytes.count - length]
            if lead & 0xC0 == 0x80 { continue }
            let whole = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
            return whole > length ? bytes.count - length : bytes.count
        }
        return bytes.count
    }

    /// Returns the error for a text that is not UTF-8.
    ///
    /// - Parameters:
    ///   - source: The name of the source, such as a path.
    ///   - offset: The index in `bytes` of the first invalid byte.
    ///   - bytes: A part of the source.
    ///   - start: The byte offset in the source where `bytes` starts.
    static func invalid(_ source: String, at offset: Int, in bytes: UnsafeRawBufferPointer, from start: Int = 0)
        -> UserError
    {
        let byte = "0x" + String(bytes[offset], radix: 16, uppercase: true)
        let isUTF16 = bytes.count >= 2 && [[0xFF, 0xFE], [0xFE, 0xFF]].contains([bytes[0], bytes[1]])
        let guess = isUTF16 ? "UTF-16" : "LATIN1"
        return UserError(
            .data,
            """
            \(source) is not UTF-8: byte \(start + offset) is \(byte); convert it (if it is \(guess): iconv -f \(guess) \
            -t UTF-8) or use --tokenizer=byte
            """
        )
    }
}
