import Platform

/// How JSON stands in a text, told by its first bytes.
enum JSONContent: Equatable {
    /// The first line is an object; whether that has the field, as a string.
    case lines(hasField: Bool)
    /// An array, or objects that go over several lines; whether the first object has the field, as a string.
    case values(isArray: Bool, hasField: Bool)

    /// Nil for a text that is not JSON.
    ///
    /// - Parameters:
    ///   - head: the text's first bytes. A line or a value that is longer counts by its beginning.
    ///   - isWhole: whether there is no more text.
    init?(head: UnsafeRawBufferPointer, isWhole: Bool, field: String) {
        var scanner = JSONScanner(head)
        scanner.skipSpace()
        let start = scanner.position
        let isArray = scanner.next == UInt8(ascii: "[")
        guard isArray || scanner.next == UInt8(ascii: "{") else { return nil }
        if !isArray {
            let rest = head[start...]
            let end = rest.firstIndex(of: 0x0A)
            let line = UnsafeRawBufferPointer(rebasing: head[start..<(end ?? head.endIndex)])
            if Self.isValue(line, isWhole: isWhole || end != nil, mayGoOn: false) {
                self = .lines(hasField: Self.hasField(field, line))
                return
            }
        }
        let text = UnsafeRawBufferPointer(rebasing: head[start...])
        guard Self.isValue(text, isWhole: isWhole, mayGoOn: !isArray) else { return nil }
        self = .values(isArray: isArray, hasField: Self.hasField(field, text))
    }

    /// - Parameters:
    ///   - isWhole: whether the text ends here.
    ///   - mayGoOn: whether other objects may follow.
    private static func isValue(_ text: UnsafeRawBufferPointer, isWhole: Bool, mayGoOn: Bool) -> Bool {
        var scanner = JSONScanner(text)
        do {
            repeat {
                try scanner.skipValue()
                scanner.skipSpace()
            } while mayGoOn && scanner.next == UInt8(ascii: "{")
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
