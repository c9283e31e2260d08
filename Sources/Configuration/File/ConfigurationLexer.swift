/// The smallest parts of a configuration file.
enum ConfigurationToken: Equatable {
    case name(String)
    case value(ConfigurationValue)
    /// An f-string as it was written, without its quotes.
    case formatted(String)
    /// An operator, a bracket, a comma or the like.
    case sign(String)

    /// 1 for a bracket that opens, -1 for one that closes.
    var nesting: Int {
        switch self {
        case .sign("("), .sign("["), .sign("{"): 1
        case .sign(")"), .sign("]"), .sign("}"): -1
        default: 0
        }
    }
}

/// Cuts the text of a configuration file into statements of tokens, as Python does and TOML's flat assignments allow.
struct ConfigurationLexer {
    private let source: [Unicode.Scalar]
    private let isPython: Bool
    private var position = 0
    /// Of what is read next, from 1.
    private(set) var line = 1

    /// - Parameter isPython: whether backslashes escape in single quotes too, which in TOML they do not.
    init(_ text: some StringProtocol, isPython: Bool) {
        var source: [Unicode.Scalar] = []
        var last: Unicode.Scalar?
        let scalars = text.unicodeScalars
        // A byte order mark may stand before the first line.
        for scalar in scalars.first == "\u{FEFF}" ? scalars.dropFirst() : scalars[...] {
            // Any end of a line counts as one.
            if scalar != "\n" || last != "\r" { source.append(scalar == "\r" ? "\n" : scalar) }
            last = scalar
        }
        self.source = source
        self.isPython = isPython
    }

    /// The tokens up to the end of a line or a semicolon outside brackets, and the line where they begin; nil at the end.
    mutating func next() throws(ConfigurationRefusal) -> (line: Int, tokens: [ConfigurationToken])? {
        var tokens: [ConfigurationToken] = []
        var first = line
        var depth = 0
        while let scalar = peek() {
            switch scalar {
            case " ", "\t", "\u{C}": position += 1
            case "#": while let other = peek(), other != "\n" { position += 1 }
            case "\\" where peek(1) == "\n":
                position += 2
                line += 1
            case "\n":
                position += 1
                line += 1
                if depth == 0, !tokens.isEmpty { return (first, tokens) }
            case ";" where depth == 0:
                position += 1
                if !tokens.isEmpty { return (first, tokens) }
            default:
                if tokens.isEmpty { first = line }
                let token = try token(scalar)
                depth += token.nesting
                guard depth >= 0 else { throw ConfigurationRefusal("a bracket closes and does not open") }
                tokens.append(token)
            }
        }
        guard depth == 0 else {
            line = first
            throw ConfigurationRefusal("a bracket opens and does not close")
        }
        return tokens.isEmpty ? nil : (first, tokens)
    }

    private func peek(_ distance: Int = 0) -> Unicode.Scalar? {
        position + distance < source.count ? source[position + distance] : nil
    }

    private mutating func take(while isTaken: (Unicode.Scalar) -> Bool) -> String {
        let start = position
        while let scalar = peek(), isTaken(scalar) { position += 1 }
        return text(source[start..<position])
    }

    private func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    // MARK: - Tokens

    private mutating func token(_ first: Unicode.Scalar) throws(ConfigurationRefusal) -> ConfigurationToken {
        if first == "\"" || first == "'" { return try quoted(prefix: "") }
        if Self.isDigit(first) || first == "." && peek(1).map(Self.isDigit) == true { return try number() }
        if Self.isNamePart(first) {
            let name = take(while: Self.isNamePart)
            let isPrefix = ["r", "u", "f"].contains(name.lowercased())
            return isPrefix && (peek() == "\"" || peek() == "'") ? try quoted(prefix: name.lowercased()) : .name(name)
        }
        for length in [3, 2, 1] where position + length <= source.count {
            let sign = text(source[position..<position + length])
            guard Self.signs.contains(sign) else { continue }
            position += length
            return .sign(sign)
        }
        let name = first.properties.name ?? first.properties.nameAlias ?? "unnamed"
        let code = String(first.value, radix: 16, uppercase: true).zeroPadded(to: 4)
        throw ConfigurationRefusal(
            "the character U+\(code) (\(name.lowercased())) has no meaning outside quotes; remove it or type what it looks like"
        )
    }

    private static let signs: Set = [
        "**=", "//=", "<<=", ">>=", "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "->", ":=", "+=", "-=", "*=", "/=",
        "%=",
        "&=", "|=", "^=", "@=", "+", "-", "*", "/", "%", "@", "&", "|", "^", "~", "<", ">", "(", ")", "[", "]", "{",
        "}", ",",
        ":", ";", ".", "=", "!",
    ]

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    private static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || isDigit(scalar) || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
    }

    private mutating func number() throws(ConfigurationRefusal) -> ConfigurationToken {
        let start = position
        _ = take { Self.isNamePart($0) || $0 == "." }
        let isRadix =
            source[start] == "0" && start + 1 < position && "xXoObB".unicodeScalars.contains(source[start + 1])
        // 1e-3, where the sign belongs to the exponent.
        if !isRadix, source[position - 1] == "e" || source[position - 1] == "E", peek() == "-" || peek() == "+" {
            position += 1
            _ = take { Self.isNamePart($0) || $0 == "." }
        }
        return .value(try Self.value(ofNumber: text(source[start..<position])))
    }

    private static func value(ofNumber text: String) throws(ConfigurationRefusal) -> ConfigurationValue {
        let radix = ["0x": 16, "0o": 8, "0b": 2][text.prefix(2).lowercased()]
        let isWhole = radix != nil || text.utf8.allSatisfy { $0 != UInt8(ascii: ".") && $0 | 0x20 != UInt8(ascii: "e") }
        guard isWhole else {
            guard let value = ConfigurationLiteral.number(text) else {
                throw ConfigurationRefusal("\(text) is no finite number")
            }
            return .number(value)
        }
        let digits = text.dropFirst(radix == nil ? 0 : 2).filter { $0 != "_" }
        guard !digits.isEmpty, !text.contains("__"), !text.hasSuffix("_"),
            digits.allSatisfy({ $0.hexDigitValue.map { $0 < radix ?? 10 } ?? false })
        else { throw ConfigurationRefusal("\(text) is no number") }
        guard radix != nil || digits.allSatisfy({ $0 == "0" }) || !digits.hasPrefix("0") else {
            throw ConfigurationRefusal("a whole number does not begin with 0; write 0o before octal digits")
        }
        guard let value = Int(digits, radix: radix ?? 10) else {
            throw ConfigurationRefusal("\(text) does not fit 64 bits")
        }
        return .integer(value)
    }

    private mutating func quoted(prefix: String) throws(ConfigurationRefusal) -> ConfigurationToken {
        let quote = source[position]
        let isTriple = peek(1) == quote && peek(2) == quote
        let closing = isTriple ? 3 : 1
        let opened = line
        position += closing
        // TOML leaves out the end of the first line.
        if isTriple, !isPython, peek() == "\n" {
            position += 1
            line += 1
        }
        let isEscaping = isPython || quote == "\""
        let start = position
        while let scalar = peek(), isTriple || scalar != "\n" {
            if scalar == quote, !isTriple || peek(1) == quote && peek(2) == quote {
                let raw = source[start..<position]
                position += closing
                if prefix == "f" { return .formatted(text(raw)) }
                guard isEscaping, prefix != "r" else { return .value(.text(text(raw))) }
                return .value(.text(try ConfigurationLiteral.unescaped(raw)))
            }
            if scalar == "\n" || scalar == "\\" && isEscaping && peek(1) == "\n" { line += 1 }
            position += scalar == "\\" && isEscaping ? 2 : 1
        }
        line = opened
        throw ConfigurationRefusal("the text that begins with \(quote) does not end")
    }
}
