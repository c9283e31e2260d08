/// Reads the numbers and lines of a pickle in order, and never beyond its end.
struct PickleCursor {
    private typealias Malformed = PickleReader.Malformed

    /// All bytes of the file.
    private let bytes: UnsafeRawBufferPointer
    private let end: Int
    private(set) var position: Int

    /// - Parameters:
    ///   - bytes: all bytes of the file.
    ///   - range: the range of the file that the pickle may occupy.
    init(bytes: UnsafeRawBufferPointer, range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    mutating func byte() throws -> UInt8 {
        guard position < end else { throw Malformed(reason: "it is truncated") }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func take(_ count: Int) throws -> Range<Int> {
        guard count >= 0, count <= end - position else { throw Malformed(reason: "it is truncated") }
        defer { position += count }
        return position..<position + count
    }

    /// Reads bytes that follow their count, which takes `width` bytes.
    mutating func lengthPrefixed(_ width: Int) throws -> PickleSpan {
        PickleSpan(range: try take(integer(bytes: width)))
    }

    /// Reads an unsigned little-endian number of up to 8 bytes.
    mutating func integer(bytes count: Int) throws -> Int {
        var value: UInt64 = 0
        for byte in bytes[try take(count)].reversed() { value = value << 8 | UInt64(byte) }
        guard let value = Int(exactly: value) else { throw Malformed(reason: "it contains the length \(value)") }
        return value
    }

    /// Reads a two's-complement number that follows its length, which takes `width` bytes.
    mutating func longInteger(_ width: Int) throws -> PickleNode {
        let content = bytes[try take(integer(bytes: width))]
        let fill: UInt8 = content.last.map { $0 >= 0x80 ? 0xFF : 0 } ?? 0
        // Ignore higher bytes that only extend the sign, unless dropping them would change the sign.
        guard content.dropFirst(8).allSatisfy({ $0 == fill }),
            content.count <= 8 || (content[content.startIndex + 7] >= 0x80) == (fill != 0)
        else { return .largeInteger }
        var value = fill == 0 ? 0 : -1
        for byte in content.prefix(8).reversed() { value = value << 8 | Int(byte) }
        return .integer(value)
    }

    /// Reads a big-endian IEEE 754 double.
    mutating func double() throws -> Double {
        var bits: UInt64 = 0
        for byte in bytes[try take(8)] { bits = bits << 8 | UInt64(byte) }
        return Double(bitPattern: bits)
    }

    // MARK: - Lines of protocol 0

    /// Returns the range of the bytes before the next line break.
    mutating func line() throws -> Range<Int> {
        guard let newline = bytes[position..<end].firstIndex(of: UInt8(ascii: "\n")) else {
            throw Malformed(reason: "it is truncated")
        }
        defer { position = newline + 1 }
        return position..<newline
    }

    mutating func textLine() throws -> String {
        guard let text = String(validating: bytes[try line()], as: UTF8.self) else {
            throw Malformed(reason: "a name is not UTF-8")
        }
        return text
    }

    /// Reads a line that is a quoted string.
    mutating func quotedLine() throws -> PickleSpan {
        let line = try line()
        let quotes = [UInt8(ascii: "'"), UInt8(ascii: "\"")]
        guard line.count >= 2, quotes.contains(bytes[line.lowerBound]),
            bytes[line.lowerBound] == bytes[line.upperBound - 1]
        else { throw Malformed(reason: "a string has no quotes") }
        return PickleSpan(range: line.lowerBound + 1..<line.upperBound - 1, form: .quoted)
    }

    /// Reads a line with an integer, which may end in `L`; `00` and `01` are Booleans.
    mutating func integerLine() throws -> PickleNode {
        let text = try textLine()
        if text == "00" || text == "01" { return .bool(text == "01") }
        let digits = text.hasSuffix("L") ? String(text.dropLast()) : text
        if let value = Int(digits) { return .integer(value) }
        let magnitude = digits.drop { $0 == "-" || $0 == "+" }
        guard digits.count - magnitude.count <= 1, magnitude.count > 18,
            magnitude.utf8.allSatisfy({ 0x30...0x39 ~= $0 })
        else { throw Malformed(reason: "\"\(text.prefix(40))\" is not an integer") }
        return .largeInteger
    }

    mutating func numberLine() throws -> Double {
        let text = try textLine()
        guard let value = Double(text) else { throw Malformed(reason: "\"\(text.prefix(40))\" is not a number") }
        return value
    }

    mutating func indexLine() throws -> Int {
        let text = try textLine()
        guard let index = Int(text), index >= 0 else {
            throw Malformed(reason: "\"\(text.prefix(40))\" is not a memo index")
        }
        return index
    }
}
