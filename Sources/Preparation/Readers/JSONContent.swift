import Platform

/// How JSON stands in a text, told by its first bytes.
enum JSONContent: Equatable {
    /// The lines are values; whether at least half are objects with the field, as a string.
    case lines(hasField: Bool)
    /// An array, or objects that go over several lines; whether the first object has the field, as a string.
    case values(isArray: Bool, hasField: Bool)

    /// Nil for a text that is not JSON.
    ///
    /// One line proves nothing where there are others: the first may be damaged, or an example that a text begins with.
    ///
    /// - Parameters:
    ///   - head: the text's first bytes. A line or a value that is longer counts by its beginning.
    ///   - isWhole: whether there is no more text.
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

    /// What the lines of a text are, empty ones apart.
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
                // What is cut says less than the lines before it.
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

    /// - Parameters:
    ///   - isWhole: whether the text ends here.
    ///   - allowsMoreObjects: whether other objects may follow.
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

    /// Whether the object that begins a text, or an array there, has a field that is a string.
    private static func hasField(_ field: String, _ text: UnsafeRawBufferPointer) -> Bool {
        var scanner = JSONScanner(text)
        if scanner.take(UInt8(ascii: "[")) { scanner.skipSpace() }
        guard scanner.next == UInt8(ascii: "{") else { return false }
        var hasField = false
        // The text may break off in the object.
        try? scanner.object { scanner, name in
            if scanner.next == UInt8(ascii: "\""), scanner.bytes[name].elementsEqual(field.utf8) { hasField = true }
            try scanner.skipValue()
        }
        return hasField
    }
}
