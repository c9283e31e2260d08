import Platform

/// The form of JSON in a text, detected by its first bytes.
enum JSONContent: Equatable {
    /// Each line is a value. `hasField` says whether at least half of the lines are objects with a string in the field.
    case lines(hasField: Bool)
    /// An array, or objects that take several lines. `hasField` says whether the first object has a string in the
    /// field.
    case values(isArray: Bool, hasField: Bool)

    /// Returns nil for a text that is not JSON.
    ///
    /// Checks all lines in `head`, because a single line proves nothing: the first line of JSONL can be damaged, and a
    /// plain text can start with an example of JSON.
    ///
    /// - Parameters:
    ///   - head: The first bytes of the text. A line or value that is longer is judged by its start.
    ///   - isWhole: Whether `head` is the whole text.
    ///   - field: The name of the field with the text.
    init?(head: UnsafeRawBufferPointer, isWhole: Bool, field: String) {
        let lines = Lines(head, isWhole: isWhole, field: field)
        if lines.haveField {
            self = .lines(hasField: true)
        } else if lines.areObjects {
            self = .lines(hasField: false)
        } else if let values = Self.values(head, isWhole: isWhole, field: field) {
            self = values
        } else if lines.areValues {
            self = .lines(hasField: false)
        } else {
            return nil
        }
    }

    /// Counts the kinds of lines in a text, without empty lines.
    private struct Lines {
        private var count = 0
        private var objects = 0
        private var values = 0
        private var withField = 0

        init(_ head: UnsafeRawBufferPointer, isWhole: Bool, field: String) {
            let lines = head.split(separator: 0x0A)
            for (index, line) in lines.enumerated() {
                var scanner = JSONScanner(UnsafeRawBufferPointer(rebasing: line))
                scanner.skipSpace()
                guard let first = scanner.next else { continue }
                let isCut = index == lines.count - 1 && !isWhole && head.last != 0x0A
                // An incomplete last line counts only if it is the only line.
                if isCut, count > 0 { break }
                count += 1
                let text = UnsafeRawBufferPointer(rebasing: line[(line.startIndex + scanner.position)...])
                guard [UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\"")].contains(first),
                    JSONContent.isValue(text, isWhole: !isCut, allowsMoreObjects: false)
                else { continue }
                values += 1
                guard first == UInt8(ascii: "{") else { continue }
                objects += 1
                if JSONContent.hasField(field, text) { withField += 1 }
            }
        }

        var haveField: Bool { count > 0 && 2 * withField >= count }
        var areObjects: Bool { count > 0 && objects == count }
        var areValues: Bool { count > 1 && values == count }
    }

    private static func values(_ head: UnsafeRawBufferPointer, isWhole: Bool, field: String) -> JSONContent? {
        var scanner = JSONScanner(head)
        scanner.skipSpace()
        let isArray = scanner.next == UInt8(ascii: "[")
        guard isArray || scanner.next == UInt8(ascii: "{") else { return nil }
        let text = UnsafeRawBufferPointer(rebasing: head[scanner.position...])
        guard isValue(text, isWhole: isWhole, allowsMoreObjects: !isArray) else { return nil }
        return .values(isArray: isArray, hasField: hasField(field, text))
    }

    /// Whether a text is a JSON value.
    ///
    /// - Parameters:
    ///   - isWhole: Whether the text is complete. If not, a truncated value is accepted.
    ///   - allowsMoreObjects: Whether objects may follow the value.
    private static func isValue(_ text: UnsafeRawBufferPointer, isWhole: Bool, allowsMoreObjects: Bool) -> Bool {
        var scanner = JSONScanner(text)
        do {
            repeat {
                try scanner.skipValue()
                scanner.skipSpace()
            } while allowsMoreObjects && scanner.next == UInt8(ascii: "{")
        } catch {
            return !isWhole && scanner.isAtEnd
        }
        return scanner.isAtEnd
    }

    /// Whether a text starts with an object, or with an array whose first element is an object, that has a string in
    /// the field.
    private static func hasField(_ field: String, _ text: UnsafeRawBufferPointer) -> Bool {
        var scanner = JSONScanner(text)
        if scanner.take(UInt8(ascii: "[")) { scanner.skipSpace() }
        guard scanner.next == UInt8(ascii: "{") else { return false }
        var hasField = false
        // The text may end within the object, so errors are ignored.
        try? scanner.object { scanner, name in
            if scanner.next == UInt8(ascii: "\""), scanner.bytes[name].elementsEqual(field.utf8) { hasField = true }
            try scanner.skipValue()
        }
        return hasField
    }
}
