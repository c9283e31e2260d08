import Formats
import Platform
import Tokenizers

/// A line of JSONL: one object, a field of which is a document.
enum JSONLine {
    /// Why a line is no document: goes after "line 3".
    struct Fault: Error, Equatable {
        let reason: String
    }

    /// Puts a field's text in the place of the line.
    ///
    /// - Parameter field: a member's name, or several with dots between them for a member of a member; where a name itself has
    ///   a dot, the longest that is there counts.
    /// - Returns: how many bytes the text has, from the line's first on.
    /// - Throws: `Fault` when the line is no object, or has no such field, or that is no string.
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

    /// Where in a line its text stands, between the quotes.
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
        guard isObject else { throw Fault(reason: "is no JSON object") }
        guard let value else {
            let names = try names(of: JSONScanner(line, from: start)).prefix(8).joined(separator: ", ")
            throw Fault(
                reason: """
                    has no field \(field)\(names.isEmpty ? "" : ", but \(names)"): name the one that is the text with --field
                    """
            )
        }
        guard line[value.lowerBound] == UInt8(ascii: "\"") else {
            throw Fault(reason: "has a field \(field) that is no string")
        }
        return value.lowerBound + 1..<value.upperBound - 1
    }

    /// The value of a field of the object that begins here; nil if there is none. Passes over the object.
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

    /// How much of a field a member's name is: all of it, or what stands before one of its dots; nil if neither.
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
