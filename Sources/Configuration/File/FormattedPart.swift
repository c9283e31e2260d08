/// A part of an f-string.
enum FormattedPart: Equatable {
    /// Text with its escapes.
    case text(String)
    /// What stands in braces, up to a colon or exclamation mark that begins a format.
    case expression(String, hasFormat: Bool)

    /// The parts of what stands between the quotes.
    static func parts(of source: String) -> [FormattedPart] {
        var parts: [FormattedPart] = []
        var text = String.UnicodeScalarView()
        var rest = source.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar == "{" || scalar == "}", rest.first == scalar {
                text.append(rest.removeFirst())
            } else if scalar == "{" {
                parts.append(.text(String(text)))
                text = String.UnicodeScalarView()
                parts.append(expression(&rest))
            } else {
                text.append(scalar)
            }
        }
        return parts + [.text(String(text))]
    }

    private static func expression(_ rest: inout String.UnicodeScalarView.SubSequence) -> FormattedPart {
        var source = String.UnicodeScalarView()
        var hasFormat = false
        var quote: Unicode.Scalar?
        var depth = 0
        while let scalar = rest.popFirst() {
            if let open = quote {
                if scalar == open { quote = nil }
            } else {
                switch scalar {
                case "'", "\"": quote = scalar
                case "(", "[", "{": depth += 1
                case "}" where depth == 0: return .expression(String(source), hasFormat: hasFormat)
                case ")", "]", "}": depth -= 1
                case ":" where depth == 0, "!" where depth == 0 && rest.first != "=": hasFormat = true
                default: break
                }
            }
            if !hasFormat { source.append(scalar) }
        }
        // A brace that does not close: no value stands there.
        return .expression("", hasFormat: false)
    }
}

extension ConfigurationToken {
    /// The tokens of an expression within an f-string.
    static func tokens(of expression: String) throws(ConfigurationRefusal) -> [ConfigurationToken] {
        // Brackets, so that the ends of lines in it do not matter.
        var lexer = ConfigurationLexer("(\(expression))", isPython: true)
        return try lexer.next()?.tokens ?? []
    }

    /// Names in it, those in the braces of an f-string too.
    var names: [String] {
        switch self {
        case .name(let name): [name]
        case .formatted(let source):
            FormattedPart.parts(of: source).flatMap { part -> [String] in
                guard case .expression(let source, _) = part else { return [] }
                return (try? Self.tokens(of: source))?.flatMap(\.names) ?? []
            }
        case .value, .sign: []
        }
    }
}
