/// A regular grammar with probabilities, over ASCII characters.
///
/// Each named state has weighted rules: write a pattern, go on to another state. The text goes on for ever.
struct Grammar: Sendable {
    /// Text with choices in it.
    indirect enum Pattern: Sendable, ExpressibleByStringLiteral {
        case text(String)
        case sequence([Pattern])
        case choice([(weight: Int, pattern: Pattern)])

        init(stringLiteral value: String) {
            self = .text(value)
        }

        /// One of some patterns, each as likely as the others.
        static func oneOf(_ patterns: [Pattern]) -> Pattern {
            .choice(patterns.map { (1, $0) })
        }

        static func oneOf(_ texts: [String]) -> Pattern {
            oneOf(texts.map { .text($0) })
        }

        static func + (first: Pattern, second: Pattern) -> Pattern {
            .sequence([first, second])
        }
    }

    struct Rule: Sendable {
        var weight: Int
        var pattern: Pattern
        var next: String
    }

    /// Where the text begins. Every state leads back here, sooner or later.
    var start: String
    var rules: [String: [Rule]]
}
