/// A probabilistic regular grammar over ASCII characters.
///
/// Each named state has weighted rules. A rule writes a pattern and continues with another state. The text has no end.
struct Grammar: Sendable {
    /// A text with choices.
    indirect enum Pattern: Sendable, ExpressibleByStringLiteral {
        case text(String)
        case sequence([Pattern])
        case choice([(weight: Int, pattern: Pattern)])

        init(stringLiteral value: String) {
            self = .text(value)
        }

        /// One of several patterns with equal probabilities.
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

    /// The state in which the text starts. It must be reachable from every state.
    var start: String
    var rules: [String: [Rule]]
}
