/// Text or bytes of a pickle, as a range of the file. They are decoded only when they are needed, so that a large array
/// next to the weights costs nothing.
struct PickleSpan: Sendable {
    /// The encoding of the bytes in the file.
    enum Form: Sendable {
        /// Unchanged bytes; text is UTF-8.
        case plain
        /// Python's raw-unicode-escape: Latin-1, with other characters as `\u` and 4 hexadecimal digits, or `\U` and 8.
        case rawEscapes
        /// The content of a quoted Python 2 string, with its escapes.
        case quoted
    }

    let range: Range<Int>
    var form = Form.plain

    /// Returns the bytes, or nil if the escapes are invalid.
    ///
    /// - Parameter file: all bytes of the file.
    func bytes(in file: UnsafeRawBufferPointer) -> [UInt8]? {
        switch form {
        case .plain: Array(file[range])
        case .quoted: Self.unquoted(file[range])
        case .rawEscapes: nil
        }
    }

    /// Returns the text, or nil if it is not Unicode. Python can hold such strings (file names, for example), and so
    /// can pickles.
    func text(in file: UnsafeRawBufferPointer) -> String? {
        switch form {
        case .plain: String(validating: file[range], as: UTF8.self)
        case .quoted: Self.unquoted(file[range]).flatMap { String(validating: $0, as: UTF8.self) }
        case .rawEscapes: Self.unescaped(file[range])
        }
    }

    private static func unescaped(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
        var units: [UInt16] = []
        var position = bytes.startIndex
        while position < bytes.endIndex {
            let digits = digitCount(bytes[position...])
            guard digits > 0 else {
                units.append(UInt16(bytes[position]))
                position += 1
                continue
            }
            guard let value = hexadecimal(bytes[(position + 2)...].prefix(digits), count: digits) else { return nil }
            if value < 0x10000 {
                units.append(UInt16(value))
            } else {
                guard let scalar = Unicode.Scalar(value) else { return nil }
                units.append(contentsOf: UTF16.encode(scalar)!)
            }
            position += 2 + digits
        }
        return String(validating: units, as: UTF16.self)
    }

    /// Returns the number of digits of the escape that starts here, or 0 if none does.
    private static func digitCount(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
        guard bytes.count >= 2, bytes.first == UInt8(ascii: "\\") else { return 0 }
        return switch bytes[bytes.startIndex + 1] {
        case UInt8(ascii: "u"): 4
        case UInt8(ascii: "U"): 8
        default: 0
        }
    }

    private static func unquoted(_ bytes: Slice<UnsafeRawBufferPointer>) -> [UInt8]? {
        var result: [UInt8] = []
        var position = bytes.startIndex
        while position < bytes.endIndex {
            let byte = bytes[position]
            position += 1
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            guard position < bytes.endIndex else { return nil }
            let escape = bytes[position]
            position += 1
            if escape == UInt8(ascii: "x") {
                guard let value = hexadecimal(bytes[position...].prefix(2), count: 2) else { return nil }
                result.append(UInt8(value))
                position += 2
            } else if let value = escapes[escape] {
                result.append(value)
            } else {
                result += [UInt8(ascii: "\\"), escape]
            }
        }
        return result
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "\\"): UInt8(ascii: "\\"), UInt8(ascii: "'"): UInt8(ascii: "'"),
        UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D,
        UInt8(ascii: "t"): 0x09, UInt8(ascii: "a"): 0x07, UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0C,
        UInt8(ascii: "v"): 0x0B,
    ]

    private static func hexadecimal(_ digits: Slice<UnsafeRawBufferPointer>, count: Int) -> UInt32? {
        guard digits.count == count, !digits.contains(UInt8(ascii: "+")), !digits.contains(UInt8(ascii: "-")) else {
            return nil
        }
        return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
