import Tokenizers

/// Makes the text of tokens visible, including white space and invalid bytes.
enum TokenText {
    /// Shows a space as `·`, a newline as `↵`, a tab as `⇥`, other invisible characters as `\u{…}` and bytes that are
    /// not valid UTF-8 as `\x..`.
    static func visible(_ bytes: [UInt8]) -> String {
        var text = ""
        var decoder = UTF8()
        var rest = bytes[...]
        while let first = rest.first {
            var iterator = rest.makeIterator()
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar):
                text += visible(scalar)
                rest = rest.dropFirst(UTF8.width(scalar))
            case .error, .emptyInput:
                text += "\\x" + (first < 16 ? "0" : "") + String(first, radix: 16, uppercase: true)
                rest = rest.dropFirst()
            }
            // The decoder may have read ahead.
            decoder = UTF8()
        }
        return text
    }

    private static func visible(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case " ": return "·"
        case "\n": return "↵"
        case "\t": return "⇥"
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
        // A combining mark alone would attach to the previous character.
        case .nonspacingMark, .enclosingMark, .spacingMark: return "◌\(scalar)"
        default: return String(scalar)
        }
    }

    /// The text of a token, or its id in brackets if it has no text.
    static func of(_ id: Int, _ tokenizer: (any Tokenizer)?) -> String {
        let text = tokenizer.map { visible($0.decode([Int32(id)])) } ?? ""
        return text.isEmpty ? "[\(id)]" : text
    }
}
