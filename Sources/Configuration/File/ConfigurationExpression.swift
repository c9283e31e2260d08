/// Computes the value of an expression as Python would, from literals and names that a file has set. Nothing is run: the few
/// functions that are known are computed here.
struct ConfigurationExpression {
    /// What names stand for, or why that is not known.
    typealias Names = [String: Result<ConfigurationValue, ConfigurationRefusal>]

    private let names: Names
    private var tokens: ArraySlice<ConfigurationToken>
    private var depth = 0

    /// - Throws: `ConfigurationRefusal` for what is no expression, or not of the kind that is computed here.
    static func value(
        of tokens: ArraySlice<ConfigurationToken>,
        names: Names
    ) throws(ConfigurationRefusal) -> ConfigurationValue {
        var expression = ConfigurationExpression(names: names, tokens: tokens)
        let value = try expression.sum()
        if let rest = expression.tokens.first { throw unexpected(rest) }
        return value
    }

    private static let operatorWords: Set = ["not", "and", "or", "in", "is", "lambda", "for"]

    private static func unexpected(_ token: ConfigurationToken?) -> ConfigurationRefusal {
        switch token {
        case .name("if"), .name("else"): ConfigurationRefusal("conditions are not evaluated")
        case .name(let word) where operatorWords.contains(word): ConfigurationRefusal("\(word) is not evaluated")
        case .sign(")"), nil: ConfigurationRefusal("a value is missing")
        case .sign("["), .sign("{"), .sign(","):
            ConfigurationRefusal("lists, tuples, dictionaries and their parts are not read")
        case .sign(let sign): ConfigurationRefusal("\(sign) is not evaluated at this place")
        case .name, .value, .formatted: ConfigurationRefusal("an operator is missing between two values")
        }
    }

    private mutating func take(_ signs: String...) -> String? {
        guard case .sign(let sign)? = tokens.first, signs.contains(sign) else { return nil }
        tokens.removeFirst()
        return sign
    }

    // MARK: - Grammar

    private mutating func sum() throws(ConfigurationRefusal) -> ConfigurationValue {
        var value = try product()
        while let sign = take("+", "-") { value = try .combine(value, sign, try product()) }
        return value
    }

    private mutating func product() throws(ConfigurationRefusal) -> ConfigurationValue {
        var value = try signed()
        while let sign = take("*", "/", "//", "%") { value = try .combine(value, sign, try signed()) }
        return value
    }

    private mutating func signed() throws(ConfigurationRefusal) -> ConfigurationValue {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 100 else { throw ConfigurationRefusal("more than 100 levels of brackets and signs") }
        if let sign = take("-", "+") { return try .combine(.integer(sign == "-" ? -1 : 1), "*", try signed()) }
        let base = try atom()
        // -2 ** 2 is -(2 ** 2), and 2 ** -1 is 2 ** (-1).
        return take("**") == nil ? base : try .combine(base, "**", try signed())
    }

    private mutating func atom() throws(ConfigurationRefusal) -> ConfigurationValue {
        if take("(") != nil {
            let value = try sum()
            guard take(")") != nil else { throw Self.unexpected(tokens.first) }
            return value
        }
        if tokens.first?.isText == true { return try .text(text()) }
        switch tokens.first {
        case .value(let value)?:
            tokens.removeFirst()
            return value
        case .name?: return try named()
        default: throw Self.unexpected(tokens.first)
        }
    }

    /// Texts side by side are one.
    private mutating func text() throws(ConfigurationRefusal) -> String {
        var text = ""
        while true {
            switch tokens.first {
            case .value(.text(let part))?: text = try ConfigurationValue.joined(text, part)
            case .formatted(let source)?: text = try ConfigurationValue.joined(text, formatted(source))
            default: return text
            }
            tokens.removeFirst()
        }
    }

    private func formatted(_ source: String) throws(ConfigurationRefusal) -> String {
        var text = ""
        for part in FormattedPart.parts(of: source) {
            switch part {
            case .text(let part):
                text = try ConfigurationValue.joined(
                    text,
                    ConfigurationLiteral.unescaped(Array(part.unicodeScalars)[...])
                )
            case .expression(_, hasFormat: true): throw ConfigurationRefusal("formats such as {x:.2f} are not computed")
            case .expression(let part, _):
                let value = try Self.value(of: ConfigurationToken.tokens(of: part)[...], names: names)
                text = try ConfigurationValue.joined(text, value.pythonText)
            }
        }
        return text
    }

    // MARK: - Names and functions

    private mutating func named() throws(ConfigurationRefusal) -> ConfigurationValue {
        var name = ""
        while case .name(let part)? = tokens.first {
            name += part
            tokens.removeFirst()
            guard tokens.first == .sign("."), tokens.dropFirst().first?.name != nil else { break }
            name += "."
            tokens.removeFirst()
        }
        if tokens.first == .sign("(") { return try .calling(name, arguments(of: name)) }
        switch name {
        case "True", "true": return .boolean(true)
        case "False", "false": return .boolean(false)
        case "None": return .none
        case _ where Self.operatorWords.contains(name): throw Self.unexpected(.name(name))
        default: break
        }
        guard let value = names[name] else { throw ConfigurationRefusal("\(name) has no value above this line") }
        // Of a name without a known value the reason is that of its own line.
        return try value.get()
    }

    private mutating func arguments(of name: String) throws(ConfigurationRefusal) -> [ConfigurationValue] {
        guard ConfigurationValue.functions.contains(name) else { throw ConfigurationRefusal("\(name)() is not called") }
        tokens.removeFirst()
        var values: [ConfigurationValue] = []
        while take(")") == nil {
            values.append(try sum())
            guard take(",") != nil || tokens.first == .sign(")") else { throw Self.unexpected(tokens.first) }
        }
        return values
    }
}
