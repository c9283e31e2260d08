import Formats
import Platform
import Tokenizers

/// Extracts a document from a line of JSONL, which is one JSON object with the document in a field.
enum JSONLine {
    /// The reason why a line has no document, as the words after "line 3".
    struct Fault: Error, Equatable {
        let reason: String
    }

    /// Replaces the start of a line with the text of a field.
    ///
    /// - Parameters:
    ///   - field: The name of a member, or names separated by dots for nested members. If the names of members contain
    ///     dots, the longest name that matches is used.
    ///   - line: The line, which is overwritten.
    /// - Returns: The number of bytes of the text, which starts at the first byte of the line.
    /// - Throws: `Fault` if the line is not an object, has no such field, or the field is not a string.
    static func extract(_ field: String, from line: UnsafeMutableRawBufferPointer) throws -> Int {
        let text = UnsafeRawBufferPointer(line)
        do {
            let content = try content(of: field, in: text)
            if let offset = UTF8Check.firstInvalid(in: UnsafeRawBufferPointer(rebasing: text[content])) {
                throw JSONScanner.Failure(
                    reason: "a string that is not UTF-8",
                    offset: content.lowerBound + offset
                )
            }
            return try JSONString.unescape(line, content, to: 0)
        } catch let error as JSONScanner.Failure {
            throw Fault(reason: "is not JSON: \(error.reason) at byte \(error.offset)")
        }
    }

    /// Returns the range of the text in a line, without the quotation marks.
    private static func content(of field: String, in line: UnsafeRawBufferPointer) throws -> Range<Int> {
        var scanner = JSONScanner(line)
        scanner.skipMark()
        scanner.skipSpace()
        let start = scanner.position
        let isObject = scanner.next == UInt8(ascii: "{")
        let value = try isObject ? find(Array(field.utf8)[...], in: &scanner) : nil
        if !isObject { try scanner.skipValue() }
        scanner.skipSpace()
        guard scanner.isAtEnd else {
            throw JSONScanner.Failure(reason: "more text after the value", offset: scanner.position)
        }
        guard isObject else { throw Fault(reason: "is not a JSON object") }
        guard let value else {
            let names = try names(of: JSONScanner(line, from: start)).prefix(8).joined(separator: ", ")
            throw Fault(
                reason: """
                    has no field \(field)\(names.isEmpty ? "" : ", only \(names)"); pass the name of the text field with --field
                    """
            )
        }
        guard line[value.lowerBound] == UInt8(ascii: "\"") else {
            throw Fault(reason: "has a field \(field) that is not a string")
        }
        return value.lowerBound + 1..<value.upperBound - 1
    }

    /// Returns the range of the value of a field of the object at the scanner's position, or nil if there is no such
    /// field. Moves the scanner to the end of the object.
    private static func find(_ field: ArraySlice<UInt8>, in scanner: inout JSONScanner) throws -> Range<Int>? {
        var found: [(length: Int, value: Range<Int>)] = []
        try scanner.object { scanner, name in
            let start = scanner.position
            try scanner.skipValue()
            guard let length = length(of: name, in: field, scanner.bytes) else { return }
            guard !found.contains(where: { $0.length == length }) else {
                let name = String(decoding: field.prefix(length), as: UTF8.self)
                throw Fault(reason: "has the field \(name) twice")
            }
            found.append((length, start..<scanner.position))
        }
        for (length, value) in found.sorted(by: { $0.length > $1.length }) {
            if length == field.count { return value }
            guard scanner.bytes[value.lowerBound] == UInt8(ascii: "{") else { continue }
            var inner = JSONScanner(scanner.bytes, from: value.lowerBound)
            if let value = try find(field.dropFirst(length + 1), in: &inner) { return value }
        }
        return nil
    }

    /// Returns the length of a member's name if it equals the field or the part of the field before one of its dots,
    /// else nil.
    private static func length(of name: Range<Int>, in field: ArraySlice<UInt8>, _ bytes: UnsafeRawBufferPointer)
        -> Int?
    {
        func length(of name: some Collection<UInt8>) -> Int? {
            guard field.starts(with: name) else { return nil }
            let rest = field.dropFirst(name.count)
            return rest.isEmpty || rest.first == UInt8(ascii: ".") ? name.count : nil
        }
        let content = UnsafeRawBufferPointer(rebasing: bytes[name])
        guard content.contains(UInt8(ascii: "\\")) else { return length(of: content) }
        return (try? JSONString.text(content)).flatMap { length(of: $0) }
    }

    private static func names(of scanner: JSONScanner) throws -> [String] {
        var scanner = scanner
        var names: [String] = []
        try scanner.object { scanner, name in
            let content = UnsafeRawBufferPointer(rebasing: scanner.bytes[name])
            names.append(String(decoding: (try? JSONString.text(content)) ?? Array(content), as: UTF8.self))
            try scanner.skipValue()
        }
        return names
    }
}
