/// Formats numbers as text.
public enum Numbers {
    /// Formats a number with `digits` digits after the decimal point, rounded half away from zero.
    public static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return notFinite(value) }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 1e18 else { return "\(value)" }
        let whole = String(Int(scaled))
        let sign = value < 0 && scaled != 0 ? "-" : ""
        guard digits > 0 else { return sign + whole }
        let padded = whole.zeroPadded(to: digits + 1)
        return "\(sign)\(padded.dropLast(digits)).\(padded.suffix(digits))"
    }

    /// Formats a number with four significant digits, such as `0.0009901` or `1.500e+12`.
    public static func short(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : notFinite(value) }
        let exponent = Int(floor(log10(abs(value))))
        guard -6..<7 ~= exponent else {
            return fixed(value / pow(10, Double(exponent)), 3) + "e\(exponent < 0 ? "-" : "+")\(abs(exponent))"
        }
        let text = fixed(value, max(0, 3 - exponent))
        guard text.contains(".") else { return text }
        return String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed())
    }

    /// Formats a NaN or an infinity. The sign of a NaN has no meaning, so it is left out.
    private static func notFinite(_ value: Double) -> String { value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }

    /// Formats a number with commas: `1,003,854`.
    public static func grouped(_ value: Int) -> String {
        var text = ""
        for (index, digit) in String(abs(value)).enumerated() {
            if index > 0, (String(abs(value)).count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return value < 0 ? "-" + text : text
    }
}
