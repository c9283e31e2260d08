import Platform

/// Reads Unicode scalars from UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF (RFC 3629).
package enum UTF8Scanner {
    /// The scalar at `position`, and its length in bytes: 0 when the bytes there are not UTF-8.
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

    /// The scalar that ends at `position`, and its length in bytes: 0 when the bytes there are not UTF-8, or none.
    static func scalar(before position: Int, in bytes: UnsafeRawBufferPointer) -> (value: UInt32, length: Int) {
        for length in 1...4 where length <= position && bytes[position - length] & 0xC0 != 0x80 {
            let found = scalar(in: bytes, at: position - length)
            return found.length == length ? found : (0, 0)
        }
        return (0, 0)
    }

    /// The end of the text, or the start of a scalar that the text ends in the middle of.
    package static func lastBoundary(in bytes: UnsafeRawBufferPointer) -> Int {
        for length in 1...3 where length <= bytes.count {
            let lead = bytes[bytes.count - length]
            if lead & 0xC0 == 0x80 { continue }
            let whole = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
            return whole > length ? bytes.count - length : bytes.count
        }
        return bytes.count
    }

    /// The error for a text that is not UTF-8.
    ///
    /// - Parameters:
    ///   - source: what the text is, such as a path.
    ///   - start: the byte of it that `bytes` begin with.
    static func invalid(_ source: String, at offset: Int, in bytes: UnsafeRawBufferPointer, from start: Int = 0)
        -> UserError
    {
        let byte = "0x" + String(bytes[offset], radix: 16, uppercase: true)
        let isUTF16 = bytes.count >= 2 && [[0xFF, 0xFE], [0xFE, 0xFF]].contains([bytes[0], bytes[1]])
        let guess = isUTF16 ? "UTF-16" : "LATIN1"
        return UserError(
            .data,
            """
            \(source) is not UTF-8: byte \(start + offset) is \(byte); convert it (iconv -f \(guess) -t UTF-8, if that is what it \
            is), or use --tokenizer=byte
            """
        )
    }
}
