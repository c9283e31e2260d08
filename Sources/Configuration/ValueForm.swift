import Platform
import Transformer

/// How the text of an option's value is read, checked and printed.
struct ValueForm<Value>: Sendable {
    let kind: ConfigurationKey.Kind
    /// What the value may be, to follow "must be".
    let allowed: String
    /// Nil for text that is not allowed. Text comes without its quotes.
    let read: @Sendable (String) -> Value?
    /// In the form that files hold.
    let write: @Sendable (Value) -> String
    /// What to say about text that is not allowed, where "must be \(allowed)" does not do.
    var refusal: @Sendable (String) -> String? = { _ in nil }
}

extension ValueForm<Int> {
    static func integer(atLeast minimum: Int) -> Self { integer(minimum...Int(Int32.max)) }

    static func integer(_ range: ClosedRange<Int>) -> Self {
        let (minimum, maximum) = (range.lowerBound, range.upperBound)
        let isOpen = maximum >= Int32.max
        return Self(
            kind: .integer,
            allowed: isOpen ? "a whole number of at least \(minimum)" : "a whole number from \(minimum) to \(maximum)",
            read: { text in ConfigurationLiteral.integer(text).flatMap { range ~= $0 ? $0 : nil } },
            write: { String($0) },
            refusal: { text in
                let isTooLarge = ConfigurationLiteral.integer(text).map { $0 > maximum } ?? false
                return isOpen && isTooLarge ? "must be at most \(maximum)" : nil
            }
        )
    }
}

extension ValueForm<Double> {
    /// - Parameter allowed: what `isAllowed` accepts, to follow "must be".
    static func number(_ allowed: String, _ isAllowed: @escaping @Sendable (Double) -> Bool) -> Self {
        Self(
            kind: .number,
            allowed: allowed,
            read: { text in ConfigurationLiteral.number(text).flatMap { isAllowed($0) ? $0 : nil } },
            write: { String($0) },
            refusal: { ConfigurationLiteral.number($0) == nil ? "must be a number, \(allowed)" : nil }
        )
    }

    static var positive: Self { .number("more than 0") { $0 > 0 } }
    static var nonNegative: Self { .number("at least 0") { $0 >= 0 } }
    static var fraction: Self { .number("at least 0 and less than 1") { (0..<1).contains($0) } }
    static var timeout: Self { .number("from 0.1 to 86400 seconds") { (0.1...86400).contains($0) } }
}

extension ValueForm<Bool> {
    static var boolean: Self {
        Self(
            kind: .boolean,
            allowed: "true or false",
            read: { ConfigurationLiteral.boolean($0) },
            write: { String($0) }
        )
    }
}

extension ValueForm<String> {
    static func text(mayBeEmpty: Bool = false) -> Self { string(.text, mayBeEmpty) }

    static func path(_ path: ConfigurationKey.Path, mayBeEmpty: Bool = false) -> Self {
        string(.path(path), mayBeEmpty)
    }

    private static func string(_ kind: ConfigurationKey.Kind, _ mayBeEmpty: Bool) -> Self {
        Self(
            kind: kind,
            allowed: mayBeEmpty ? "text" : "text that is not empty",
            read: { mayBeEmpty || !$0.isEmpty ? $0 : nil },
            write: { ConfigurationLiteral.quote($0) }
        )
    }
}

extension ValueForm<PortRange> {
    static var ports: Self {
        Self(
            kind: .text,
            allowed: "LOW-HIGH, ports from 1 to 65535 with the lower one first, such as \(PortRange.standard)",
            read: { PortRange($0) },
            write: { ConfigurationLiteral.quote($0.description) }
        )
    }
}

extension ValueForm<[HeadName]> {
    static var heads: Self {
        Self(
            kind: .text,
            allowed: "heads such as 0.1,2.3 (layer.head, counted from 0)",
            read: { HeadName.list($0) },
            write: { ConfigurationLiteral.quote($0.map(\.description).joined(separator: ",")) }
        )
    }
}

extension ValueForm where Value: RawRepresentable<String> & CaseIterable & Sendable {
    static var choice: Self { choice { _ in nil } }

    /// - Parameter remark: what to add about a value that is not among the choices, if anything is worth adding.
    static func choice(_ remark: @escaping @Sendable (String) -> String?) -> Self {
        let choices = Value.allCases.map(\.rawValue)
        let list = choices.count == 1 ? choices[0] : choices.dropLast().joined(separator: ", ") + " or " + choices.last!
        return Self(
            kind: .choice(choices),
            allowed: list,
            read: { Value(rawValue: $0) },
            write: { ConfigurationLiteral.quote($0.rawValue) },
            refusal: { text in
                if let remark = remark(text) { return "\(remark); must be \(list)" }
                return "must be \(list)\(NearestName.hint(for: text, among: choices))"
            }
        )
    }
}
