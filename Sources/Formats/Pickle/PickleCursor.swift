/// Reads the numbers and lines of a pickle one after the other, and never beyond its end.
struct PickleCursor {
    private typealias Malformed = PickleReader.Malformed

    /// All bytes of the file.
    private let bytes: UnsafeRawBufferPointer
    private let end: Int
    private(set) var position: Int

    /// - Parameter range: where in the file the pickle is, or the most that it can take.
    init(bytes: UnsafeRawBufferPointer, range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    mutating func byte() throws -> UInt8 {
        guard position < end else { throw Malformed(reason: "it was cut short") }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func take(_ count: Int) throws -> Range<Int> {
        guard count >= 0, count <= end - position else { throw Malformed(reason: "it was cut short") }
        defer { position += count }
        return position..<position + count
    }

    /// Bytes whose count comes first, in `width` bytes.
    mutating func lengthPrefixed(_ width: Int) throws -> PickleSpan {
        PickleSpan(range: try take(integer(bytes: width)))
    }

    /// An unsigned little-endian number of up to 8 bytes.
    mutating func integer(bytes count: Int) throws -> Int {
        var value: UInt64 = 0
        for byte in bytes[try take(count)].reversed() { value = value << 8 | UInt64(byte) }
        guard let value = Int(exactly: value) else { throw Malformed(reason: "a length of \(value)") }
        return value
    }

    /// A two's-complement number whose length comes first, in `width` bytes.
    mutating func longInteger(_ width: Int) throws -> PickleNode {
        let content = bytes[try take(integer(bytes: width))]
        let fill: UInt8 = content.last.map { $0 >= 0x80 ? 0xFF : 0 } ?? 0
        // Higher bytes that only repeat the sign do not count, as long as the sign stays what it is.
        guard content.dropFirst(8).allSatisfy({ $0 == fill }),
            content.count <= 8 || (content[content.startIndex + 7] >= 0x80) == (fill != 0)
        else { return .largeInteger }
        var value = fill == 0 ? 0 : -1
        for byte in content.prefix(8).reversed() { value = value << 8 | Int(byte) }
        return .integer(value)
    }

    /// A big-endian IEEE 754 number.
    mutating func double() throws -> Double {
        var bits: UInt64 = 0
        for byte in bytes[try take(8)] { bits = bits << 8 | UInt64(byte) }
        return Double(bitPattern: bits)
    }

    // MARK: - Lines of protocol 0

    /// Where the bytes up to the end of a line are.
    mutating func line() throws -> Range<Int> {
        guard let newline = bytes[position..<end].firstIndex(of: UInt8(ascii: "\n")) else {
            throw Malformed(reason: "it was cut short")
        }
        defer { position = newline + 1 }
        return position..<newline
    }

    mutating func textLine() throws -> String {
        guard let text = String(validating: bytes[try line()], as: UTF8.self) else {
            throw Malformed(reason: "a name that is not UTF-8")
        }
        return text
    }

    /// A string between quotes.
    mutating func quotedLine() throws -> PickleSpan {
        let line = try line()
        let quotes = [UInt8(ascii: "'"), UInt8(ascii: "\"")]
        guard line.count >= 2, quotes.contains(bytes[line.lowerBound]),
            bytes[line.lowerBound] == bytes[line.upperBound - 1]
        else { throw Malformed(reason: "a string without quotes") }
        return PickleSpan(range: line.lowerBound + 1..<line.upperBound - 1, form: .quoted)
    }

    /// A whole number; `00` and `01` are Booleans, and an `L` may follow.
    mutating func integerLine() throws -> PickleNode {
        let text = try textLine()
        if text == "00" || text == "01" { return .bool(text == "01") }
        let digits = text.hasSuffix("L") ? String(text.dropLast()) : text
        if let value = Int(digits) { return .integer(value) }
        let magnitude = digits.drop { $0 == "-" || $0 == "+" }
        guard digits.count - magnitude.count <= 1, magnitude.count > 18,
            magnitude.utf8.allSatisfy({ 0x30...0x39 ~= $0 })
        else { throw Malformed(reason: "the whole number \"\(text.prefix(40))\"") }
        return .largeInteger
    }

    mutating func numberLine() throws -> Double {
        let text = try textLine()
        guard let value = Double(text) else { throw Malformed(reason: "the number \"\(text.prefix(40))\"") }
        return value
    }

    mutating func indexLine() throws -> Int {
        let text = try textLine()
        guard let index = Int(text), index >= 0 else { throw Malformed(reason: "a place \"\(text.prefix(40))\"") }
        return index
    }
}
