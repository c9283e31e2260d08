import Configuration
import Platform

/// The speed of a network link.
package struct Bandwidth: Equatable, Sendable {
    package var bytesPerSecond: Double

    package init(bytesPerSecond: Double) {
        self.bytesPerSecond = bytesPerSecond
    }

    /// The accepted forms, for help and messages.
    package static let forms = "Gb/s, or a number with a unit such as 10Gbit, 2.5Gb/s, 100MB/s or 1GiB/s"

    /// Parses a speed. A number without a unit is in Gb/s (10⁹ bits per second). A unit consists of an optional prefix
    /// `k`, `M`, `G` or `T` (powers of 1000, or of 1024 if `i` follows), then `bit` or `b` for bits or `byte` or `B`
    /// for bytes, then optionally `/s` or `ps`. Case matters only for `b` and `B`.
    ///
    /// - Throws: `UserError(.usage)` with the accepted forms.
    package init(parsing text: String) throws {
        if let plain = ConfigurationLiteral.number(text), plain > 0, plain.isFinite {
            bytesPerSecond = plain * 1e9 / 8
            return
        }
        // A number with an exponent, such as 1e9, cannot have a unit.
        let digits = text.prefix { $0.isNumber || ".+-_".contains($0) }
        guard let number = ConfigurationLiteral.number(String(digits)), number > 0, number.isFinite,
            let unit = Self.unit(text.dropFirst(digits.count).filter { $0 != " " })
        else {
            throw UserError(.usage, "bandwidth=\(text): must be above 0, in \(Self.forms)")
        }
        bytesPerSecond = number * unit
    }

    /// The bytes per second of one unit; nil if the unit is unknown.
    private static func unit(_ text: String) -> Double? {
        var rest = text[...]
        for ending in ["/s", "ps"] where rest.lowercased().hasSuffix(ending) {
            rest = rest.dropLast(2)
            break
        }
        var share = 0.0
        let lowercase = rest.lowercased()
        for (ending, bytes) in [("bits", 0.125), ("bit", 0.125), ("bytes", 1), ("byte", 1)]
        where lowercase.hasSuffix(ending) {
            share = bytes
            rest = rest.dropLast(ending.count)
            break
        }
        if share == 0 {
            guard let last = rest.popLast(), last == "b" || last == "B" else { return nil }
            share = last == "b" ? 0.125 : 1
        }
        var base = 1000.0
        if rest.count == 2, rest.last == "i" || rest.last == "I" {
            base = 1024
            rest = rest.dropLast()
        }
        let powers = ["": 0, "k": 1, "m": 2, "g": 3, "t": 4]
        guard let power = powers[rest.lowercased()], base == 1000 || power > 0 else { return nil }
        return (0..<power).reduce(share) { result, _ in result * base }
    }

    /// For example `10.0 Gb/s` or `800.0 Mb/s`.
    package var text: String {
        let bits = bytesPerSecond * 8
        return bits >= 1e9 ? "\(Numbers.fixed(bits / 1e9, 1)) Gb/s" : "\(Numbers.fixed(bits / 1e6, 1)) Mb/s"
    }
}
