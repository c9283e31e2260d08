import Platform

/// Scans JSON text without storing values, so the memory does not depend on the length of the text.
///
/// It accepts any depth, numbers of any size, and NaN, Infinity and -Infinity, which Python's json module writes. It
/// finds the end of strings but does not check their escapes and encoding.
struct JSONScanner {
    struct Failure: Error {
        let reason: String
        let offset: Int
    }

    let bytes: UnsafeRawBufferPointer
    private(set) var position: Int

    init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    /// The byte at the current position; nil at the end.
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    var isAtEnd: Bool { position == bytes.count }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    /// Skips a UTF-8 byte order mark, which can occur at the start of lines if files were concatenated.
    mutating func skipMark() {
        if bytes[position...].starts(with: TextEncoding.utf8Mark) { position += TextEncoding.utf8Mark.count }
    }

    /// Skips `byte` if it is at the current position, and returns whether it was.
    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    /// Scans the object at the current position.
    ///
    /// - Parameter member: Called at the start of each member's value with the range of its name without quotation
    ///   marks. It must move the scanner to the end of the value.
    mutating func object(_ member: (inout JSONScanner, _ name: Range<Int>) throws -> Void) throws {
        position += 1
        skipSpace()
        if take(UInt8(ascii: "}")) { return }
        repeat {
            let name = try self.name()
            skipSpace()
            try member(&self, name)
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw failure("no ',' or '}' after a member") }
    }

    /// Skips the value at the current position. It is not recursive, because the nesting can be deeper than the stack
    /// allows.
    mutating func skipValue() throws {
        var closers: [UInt8] = []
        repeat {
            skipSpace()
            if next == UInt8(ascii: "{") || next == UInt8(ascii: "[") {
                let isObject = next == UInt8(ascii: "{")
                let closer = UInt8(ascii: isObject ? "}" : "]")
                position += 1
                skipSpace()
                if !take(closer) {
                    closers.append(closer)
                    if isObject { _ = try name() }
                    continue
                }
            } else {
                try skipScalar()
            }
            try close(&closers)
        } while !closers.isEmpty
    }

    /// Skips the string at the current position and returns its range without quotation marks.
    mutating func string() throws -> Range<Int> {
        let start = position + 1
        position = start
        while let byte = next {
            if byte == UInt8(ascii: "\"") {
                position += 1
                return start..<position - 1
            }
            guard byte >= 0x20 else { throw failure("a control character in a string") }
            position = min(bytes.count, position + (byte == UInt8(ascii: "\\") ? 2 : 1))
        }
        throw failure("an unterminated string", at: start - 1)
    }

    private func failure(_ reason: String, at offset: Int? = nil) -> Failure {
        Failure(reason: reason, offset: offset ?? position)
    }

    /// Skips a member's name and the colon, and returns the range of the name.
    private mutating func name() throws -> Range<Int> {
        skipSpace()
        guard next == UInt8(ascii: "\"") else { throw failure("no member name") }
        let name = try string()
        skipSpace()
        guard take(UInt8(ascii: ":")) else { throw failure("no ':' after a name") }
        return name
    }

    /// Moves from the end of a value to the next value, and skips the ends of all objects and arrays in between.
    private mutating func close(_ closers: inout [UInt8]) throws {
        while let closer = closers.last {
            skipSpace()
            if take(UInt8(ascii: ",")) {
                if closer == UInt8(ascii: "}") { _ = try name() }
                return
            }
            guard take(closer) else { throw failure("no ',' or '\(Character(Unicode.Scalar(closer)))' after a value") }
            closers.removeLast()
        }
    }

    private mutating func skipScalar() throws {
        switch next {
        case nil: throw failure("the text ends before a value")
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try skip("true")
        case UInt8(ascii: "f"): try skip("false")
        case UInt8(ascii: "n"): try skip("null")
        case UInt8(ascii: "N"): try skip("NaN")
        case UInt8(ascii: "I"): try skip("Infinity")
        default: try skipNumber()
        }
    }

    private mutating func skip(_ word: StaticString) throws {
        for index in 0..<word.utf8CodeUnitCount {
            guard take(word.utf8Start[index]) else { throw failure("no value") }
        }
    }

    private mutating func skipNumber() throws {
        let start = position
        if take(UInt8(ascii: "-")), next == UInt8(ascii: "I") { return try skip("Infinity") }
        if !take(UInt8(ascii: "0")), skipDigits() == 0 { throw failure("no value", at: isAtEnd ? nil : start) }
        if take(UInt8(ascii: ".")), skipDigits() == 0 { throw failure("no digit after '.'") }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            if skipDigits() == 0 { throw failure("no digit in the exponent") }
        }
    }

    /// Skips digits and returns their number.
    private mutating func skipDigits() -> Int {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        return position - start
    }
}
