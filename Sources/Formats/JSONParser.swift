import Platform

/// A syntax error in a JSON text.
public struct JSONError: Error, Equatable, CustomStringConvertible, Sendable {
    /// The reason, without the position.
    public let reason: String
    /// The byte offset of the error in the text.
    public let offset: Int

    /// The reason and the position, such as `expected a value at byte 12`.
    public var description: String { "\(reason) at byte \(offset)" }
}

extension JSONValue {
    /// Parses a document strictly: UTF-8, one value, distinct names in each object, at most 64 levels of nesting.
    ///
    /// - Throws: `JSONError` with the reason and the byte offset.
    public init(parsing bytes: UnsafeRawBufferPointer) throws {
        var parser = JSONParser(bytes: bytes)
        self = try parser.document()
    }

    /// Parses a document in an array of bytes, as `init(parsing:)` for a buffer does.
    ///
    /// - Throws: `JSONError` with the reason and the byte offset.
    public init(parsing bytes: [UInt8]) throws {
        self = try bytes.withUnsafeBytes { try JSONValue(parsing: $0) }
    }

    /// Parses a file.
    ///
    /// - Throws: `UserError(.inputOutput)` if the file cannot be read; `UserError(.data)` if it is not JSON.
    public init(ofFile path: String) throws {
        let file = try MappedFile(path: path)
        do {
            self = try withExtendedLifetime(file) { try JSONValue(parsing: file.bytes) }
        } catch let error as JSONError {
            throw UserError(.data, "\(path) is not valid JSON: \(error)")
        }
    }
}

private struct JSONParser {
    private static let maximumDepth = 64

    let bytes: UnsafeRawBufferPointer
    var position = 0

    init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func document() throws -> JSONValue {
        let value = try self.value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw failure("unexpected text after the value") }
        return value
    }

    private func failure(_ reason: String, at offset: Int? = nil) -> JSONError {
        JSONError(reason: reason, offset: offset ?? position)
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth < Self.maximumDepth else { throw failure("more than \(Self.maximumDepth) levels of nesting") }
        skipSpace()
        switch next {
        case nil: throw failure("expected a value, but the text ends")
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    private mutating func literal(_ name: StaticString, _ value: JSONValue) throws -> JSONValue {
        for index in 0..<name.utf8CodeUnitCount {
            guard take(name.utf8Start[index]) else { throw failure("expected a value") }
        }
        return value
    }

    private mutating func object(depth: Int) throws -> JSONValue {
        position += 1
        var members: [JSONValue.Member] = []
        // Compare names as bytes: Swift's strings treat an Ohm sign and an Omega as equal.
        var names: Set<[UInt8]> = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object([]) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw failure("expected a member name") }
            let start = position
            let name = try string()
            guard names.insert(Array(name.utf8)).inserted else {
                throw failure("duplicate name \"\(name)\"", at: start)
            }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw failure("expected ':' after a name") }
            members.append(JSONValue.Member(name, try value(depth: depth + 1)))
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw failure("expected ',' or '}' after a member") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws -> JSONValue {
        position += 1
        var values: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array([]) }
        repeat {
            values.append(try value(depth: depth + 1))
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw failure("expected ',' or ']' after an element") }
        return .array(values)
    }

    private mutating func number() throws -> JSONValue {
        let start = position
        _ = take(UInt8(ascii: "-"))
        guard let first = next, isDigit(first) else { throw failure("expected a value", at: start) }
        position += 1
        if first != UInt8(ascii: "0") { skipDigits() }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            guard let digit = next, isDigit(digit) else { throw failure("expected a digit after '.'") }
            skipDigits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard let digit = next, isDigit(digit) else { throw failure("expected a digit in the exponent") }
            skipDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let integer = Int(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw failure("number out of range", at: start) }
        return .number(number)
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private mutating func skipDigits() {
        while let byte = next, isDigit(byte) { position += 1 }
    }

    private mutating func string() throws -> String {
        position += 1
        let start = position
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        if next == UInt8(ascii: "\"") {
            let text = try utf8(bytes[start..<position], at: start)
            position += 1
            return text
        }
        var content = Array(bytes[start..<position])
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try utf8(content, at: start)
            case UInt8(ascii: "\\"): try content.append(contentsOf: String(escape()).utf8)
            case 0..<0x20: throw failure("control character in a string")
            default:
                content.append(byte)
                position += 1
            }
        }
        throw failure("unterminated string", at: start)
    }

    private func utf8(_ content: some Sequence<UInt8>, at start: Int) throws -> String {
        guard let text = String(validating: Array(content), as: UTF8.self) else {
            throw failure("string is not valid UTF-8", at: start)
        }
        return text
    }

    private mutating func escape() throws -> Unicode.Scalar {
        let start = position
        position += 1
        guard let letter = next else { throw failure("unterminated string") }
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "u"):
            let unit = try hexadecimal()
            if let scalar = Unicode.Scalar(unit) { return scalar }
            // A scalar above U+FFFF is written as a pair of surrogates.
            guard unit < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
                throw failure("unpaired surrogate", at: start)
            }
            let low = try hexadecimal()
            guard (0xDC00..<0xE000).contains(low) else { throw failure("unpaired surrogate", at: start) }
            return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))!
        default: throw failure("unknown escape", at: start)
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        guard position + 4 <= bytes.count,
            bytes[position..<position + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw failure("expected four hexadecimal digits after \\u") }
        position += 4
        return value
    }
}
