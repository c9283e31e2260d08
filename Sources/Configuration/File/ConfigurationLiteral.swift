import Platform

/// Values as they are written on a command line or in a configuration file, and as they are printed back.
///
/// What Python's and TOML's flat assignments share: `1e-3`, `5_000`, `true`/`True`, products such as `5 * 8`, and text
/// in double or single quotes.
public enum ConfigurationLiteral {
    /// A whole number: `12`, `600_000`, `5 * 8`, or `1e4`; nil if it is anything else or does not fit 64 bits.
    public static func integer(_ text: String) -> Int? {
        var product = 1
        for factor in factors(text) {
            guard let digits = withoutDigitSeparators(factor) else { return nil }
            guard let value = Int(digits) ?? number(digits).flatMap({ Int(exactly: $0) }) else { return nil }
            let (result, overflow) = product.multipliedReportingOverflow(by: value)
            guard !overflow else { return nil }
            product = result
        }
        return product
    }

    /// A finite number: `0.1`, `1e-3`, `5_000`, `.5`, `6 * 1e-4`; nil if it is anything else.
    public static func number(_ text: String) -> Double? {
        var product = 1.0
        for factor in factors(text) {
            // Double also reads "nan", "inf" and hexadecimal forms, which no configuration means.
            guard let digits = withoutDigitSeparators(factor),
                digits.utf8.allSatisfy({ isDigit($0) || ".+-eE".utf8.contains($0) }),
                let value = Double(digits)
            else { return nil }
            product *= value
        }
        return product.isFinite ? product : nil
    }

    /// TOML's and Python's names; nil for anything else.
    public static func boolean(_ text: String) -> Bool? {
        switch text {
        case "true", "True": true
        case "false", "False": false
        default: nil
        }
    }

    /// The content of text in quotes; nil if it is not quoted, or not quoted well.
    ///
    /// Backslashes escape in double quotes, as in TOML and Python; in single quotes they stand for themselves.
    static func quoted(_ text: String) -> String? {
        // Scalars, not characters: a combining mark after a quote must not hide it.
        var content = Array(text.unicodeScalars)
        guard content.count > 1, let quote = content.first, quote == "\"" || quote == "'", content.popLast() == quote
        else {
            return nil
        }
        content.removeFirst()
        guard quote == "\"" else { return content.contains(quote) ? nil : String(String.UnicodeScalarView(content)) }
        return try? unescaped(content[...], in: quote)
    }

    /// Text with Python's escapes resolved. What is no escape stands for itself, as there.
    ///
    /// - Parameter quote: a quote that may only stand in it after a backslash.
    /// - Throws: `ConfigurationRefusal` for half an escape, and for octal and named ones.
    static func unescaped(
        _ text: ArraySlice<Unicode.Scalar>,
        in quote: Unicode.Scalar? = nil
    ) throws(ConfigurationRefusal) -> String {
        var rest = text
        var content = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            guard scalar != quote else { throw ConfigurationRefusal("a quote in the text needs a backslash before it") }
            guard scalar == "\\" else {
                content.append(scalar)
                continue
            }
            switch rest.popFirst() {
            case "\n"?: break
            case let kind? where plainEscapes[kind] != nil: content.append(plainEscapes[kind]!)
            case "x"?: content.append(try character(&rest, digits: 2))
            case "u"?: content.append(try character(&rest, digits: 4))
            case "U"?: content.append(try character(&rest, digits: 8))
            case "N"?, "0"?, "1"?, "2"?, "3"?, "4"?, "5"?, "6"?, "7"?, nil:
                throw ConfigurationRefusal("octal and named escapes are not read; use \\u and 4 digits")
            case let other?: content.append(contentsOf: ["\\", other])
            }
        }
        return String(content)
    }

    private static let plainEscapes: [Unicode.Scalar: Unicode.Scalar] = [
        "\\": "\\", "'": "'", "\"": "\"", "a": "\u{7}", "b": "\u{8}", "f": "\u{C}", "n": "\n", "r": "\r", "t": "\t",
        "v": "\u{B}",
    ]

    private static func character(
        _ rest: inout ArraySlice<Unicode.Scalar>,
        digits count: Int
    ) throws(ConfigurationRefusal) -> Unicode.Scalar {
        let digits = String(String.UnicodeScalarView(rest.prefix(count)))
        guard digits.utf8.count == count, let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) else {
            throw ConfigurationRefusal("\(digits) after a backslash is no character's number of \(count) digits")
        }
        rest = rest.dropFirst(count)
        return scalar
    }

    /// Text in double quotes that `quoted` reads back.
    static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                result += "\\u" + String(scalar.value, radix: 16).zeroPadded(to: 4)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func factors(_ text: String) -> [String] {
        text.split(separator: "*", omittingEmptySubsequences: false).map { factor in
            String(factor.trimmingSpaces())
        }
    }

    /// The text without underscores, which must stand between digits; nil where one does not.
    private static func withoutDigitSeparators(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "_") {
            guard index > 0, index + 1 < bytes.count, isDigit(bytes[index - 1]), isDigit(bytes[index + 1])
            else { return nil }
        }
        return text.filter { $0 != "_" }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

extension StringProtocol {
    /// Without spaces and tabs (and a carriage return) at either end.
    func trimmingSpaces() -> SubSequence {
        func isSpace(_ character: Character) -> Bool { character == " " || character == "\t" || character == "\r" }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) })
        else { return self[endIndex...] }
        return self[first...last]
    }
}
