import Platform

/// Decodes the content of a JSON string, which is the text between its quotation marks.
enum JSONString {
    /// Replaces the escapes of a string in place. The result is never longer than the content.
    ///
    /// - Parameters:
    ///   - bytes: The memory with the string.
    ///   - content: The range of the content.
    ///   - target: Where to write the result, at or before the start of the content.
    /// - Returns: The end of the result.
    /// - Throws: `JSONScanner.Failure` for an unknown escape or an unpaired surrogate.
    static func unescape(_ bytes: UnsafeMutableRawBufferPointer, _ content: Range<Int>, to target: Int) throws -> Int {
        guard let base = bytes.baseAddress else { return target }
        var (position, end) = (content.lowerBound, target)
        while position < content.upperBound {
            let rest = content.upperBound - position
            let found = memchr(base + position, Int32(UInt8(ascii: "\\")), rest)
            let plain = found.map { UnsafeRawPointer($0) - UnsafeRawPointer(base) - position } ?? rest
            memmove(base + end, base + position, plain)
            (position, end) = (position + plain, end + plain)
            guard found != nil else { break }
            let escaped = UnsafeRawBufferPointer(rebasing: bytes[position..<content.upperBound])
            let (scalar, length) = try escape(escaped, from: position)
            position += length
            for byte in UTF8.encode(scalar)! {
                bytes[end] = byte
                end += 1
            }
        }
        return end
    }

    /// Returns a copy of the content with its escapes replaced.
    static func text(_ content: UnsafeRawBufferPointer) throws -> [UInt8] {
        var text = Array(content)
        let count = try text.withUnsafeMutableBytes { try unescape($0, 0..<$0.count, to: 0) }
        text.removeLast(text.count - count)
        return text
    }

    /// Returns the scalar of an escape and the length of the escape in bytes.
    ///
    /// - Parameters:
    ///   - bytes: The content from the backslash on.
    ///   - offset: The offset of the backslash, for errors.
    private static func escape(_ bytes: UnsafeRawBufferPointer, from offset: Int) throws -> (Unicode.Scalar, Int) {
        guard bytes.count > 1 else { throw JSONScanner.Failure(reason: "an unterminated string", offset: offset) }
        switch bytes[1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return (Unicode.Scalar(bytes[1]), 2)
        case UInt8(ascii: "n"): return ("\n", 2)
        case UInt8(ascii: "r"): return ("\r", 2)
        case UInt8(ascii: "t"): return ("\t", 2)
        case UInt8(ascii: "b"): return ("\u{8}", 2)
        case UInt8(ascii: "f"): return ("\u{C}", 2)
        case UInt8(ascii: "u"):
            guard let unit = unit(bytes, at: 0) else {
                throw JSONScanner.Failure(reason: "\\u without four hexadecimal digits", offset: offset)
            }
            if let scalar = Unicode.Scalar(unit) { return (scalar, 6) }
            // A scalar above U+FFFF is written as two surrogates.
            guard unit < 0xDC00, let low = self.unit(bytes, at: 6), (0xDC00..<0xE000).contains(low) else {
                throw JSONScanner.Failure(reason: "an unpaired surrogate", offset: offset)
            }
            return (Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))!, 12)
        default: throw JSONScanner.Failure(reason: "an unknown escape", offset: offset)
        }
    }

    /// Returns the UTF-16 code unit of the `\u` escape at `position`, or nil if there is none.
    private static func unit(_ bytes: UnsafeRawBufferPointer, at position: Int) -> UInt32? {
        guard bytes.count >= position + 6, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt32 = 0
        for byte in bytes[position + 2..<position + 6] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }
}
