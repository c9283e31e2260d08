import Platform

/// A value of a configuration file, with Python's arithmetic on it.
enum ConfigurationValue: Equatable {
    case integer(Int)
    case number(Double)
    case boolean(Bool)
    case text(String)
    case none

    /// The form that `ConfigurationKey.set` reads.
    var literal: String {
        switch self {
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .boolean(let value): String(value)
        case .text(let value): ConfigurationLiteral.quote(value)
        case .none: "None"
        }
    }

    /// What Python's `str()` gives.
    var pythonText: String {
        switch self {
        case .boolean(let value): value ? "True" : "False"
        case .text(let value): value
        // Python writes exponents from 1e16 on, Swift from 2**53.
        case .number(let value) where 0x1p53..<1e16 ~= abs(value): "\(Int(value)).0"
        default: literal
        }
    }

    /// What Python's `bool()` gives.
    var isTrue: Bool {
        switch self {
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .boolean(let value): value
        case .text(let value): !value.isEmpty
        case .none: false
        }
    }

    /// What it is in arithmetic, where Python's booleans count as 0 and 1; nil for text and `None`.
    var asNumber: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .boolean(let value): value ? 1 : 0
        case .text, .none: nil
        }
    }

    private var asInteger: Int? {
        switch self {
        case .integer(let value): value
        case .boolean(let value): value ? 1 : 0
        default: nil
        }
    }

    /// The result of `+ - * / // % **` between two values: integers stay integers except in `/` and with negative exponents, and
    /// `//` and `%` round toward negative infinity.
    ///
    /// - Throws: `ConfigurationRefusal` where Python fails, or the result does not fit 64 bits.
    static func combine(_ left: Self, _ sign: String, _ right: Self) throws(ConfigurationRefusal) -> Self {
        if sign == "+", case .text(let first) = left, case .text(let second) = right {
            return .text(try joined(first, second))
        }
        guard let x = left.asNumber, let y = right.asNumber else {
            throw ConfigurationRefusal("\(sign) works between two numbers here, and + between two texts")
        }
        let isDivision = sign == "/" || sign == "//" || sign == "%"
        guard y != 0 || !isDivision, x != 0 || y >= 0 || sign != "**" else {
            throw ConfigurationRefusal("a division by zero")
        }
        if let a = left.asInteger, let b = right.asInteger {
            guard sign == "/" || sign == "**" && b < 0 else {
                guard let result = integer(a, sign, b) else {
                    throw ConfigurationRefusal("the result does not fit 64 bits")
                }
                return .integer(result)
            }
            // Python rounds such a quotient once, which two rounded operands would not.
            guard Int(exactly: x) == a, Int(exactly: y) == b else {
                throw ConfigurationRefusal("whole numbers above 2**53 are not divided here")
            }
        }
        let result = number(x, sign, y)
        guard result.isFinite else { throw ConfigurationRefusal("the result is not a finite number") }
        return .number(result)
    }

    /// Two texts as one. The length is limited, since names double it with each line.
    static func joined(_ first: String, _ second: String) throws(ConfigurationRefusal) -> String {
        guard first.utf8.count + second.utf8.count <= 1 << 16 else {
            throw ConfigurationRefusal("the text is longer than 64 KiB")
        }
        return first + second
    }

    /// Nil where the result does not fit.
    private static func integer(_ a: Int, _ sign: String, _ b: Int) -> Int? {
        let (result, overflow) =
            switch sign {
            case "+": a.addingReportingOverflow(b)
            case "-": a.subtractingReportingOverflow(b)
            case "*": a.multipliedReportingOverflow(by: b)
            case "**": power(a, b)
            default: a.dividedReportingOverflow(by: b)
            }
        guard !overflow else { return nil }
        guard sign == "//" || sign == "%" else { return result }
        // Swift rounds a quotient toward zero.
        let remainder = a - result * b
        let isRoundedUp = remainder != 0 && (remainder < 0) != (b < 0)
        return sign == "//" ? result - (isRoundedUp ? 1 : 0) : remainder + (isRoundedUp ? b : 0)
    }

    private static func power(_ base: Int, _ exponent: Int) -> (Int, Bool) {
        // 64 factors of 2 or more do not fit, and of 0, 1 and -1 only the parity counts.
        let isSmall = (-1...1).contains(base) && exponent > 2
        var result = 1
        for _ in 0..<(isSmall ? 2 - exponent % 2 : min(exponent, 64)) {
            let (product, overflow) = result.multipliedReportingOverflow(by: base)
            if overflow { return (0, true) }
            result = product
        }
        return (result, false)
    }

    private static func number(_ x: Double, _ sign: String, _ y: Double) -> Double {
        switch sign {
        case "+": return x + y
        case "-": return x - y
        case "*": return x * y
        case "/": return x / y
        case "**": return pow(x, y)
        default:
            // As Python's float_divmod, so that the quotient and the remainder fit together.
            var remainder = x.truncatingRemainder(dividingBy: y)
            var quotient = (x - remainder) / y
            if remainder != 0, (remainder < 0) != (y < 0) {
                remainder += y
                quotient -= 1
            }
            if sign == "%" { return remainder == 0 ? Double(signOf: y, magnitudeOf: 0) : remainder }
            guard quotient != 0 else { return Double(signOf: x / y, magnitudeOf: 0) }
            let whole = quotient.rounded(.down)
            return quotient - whole > 0.5 ? whole + 1 : whole
        }
    }
}
