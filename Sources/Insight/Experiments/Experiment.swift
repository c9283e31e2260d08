/// A comparison of variants of the model ("arms") with a baseline that trains on the same data with the same seeds.
package struct Experiment: Sendable {
    /// A variant: the options of `ddp-train train` in which it differs from the baseline.
    package struct Arm: Sendable {
        /// The name in the report's tables.
        package let name: String
        /// Names without leading dashes, and values.
        package let options: [(name: String, value: String)]

        /// The name of the folder that holds the arm's runs.
        var folder: String { String(name.map { $0.isLetter || $0.isNumber ? $0 : "-" }) }
        var command: String { options.map { "--\($0.name)=\($0.value)" }.joined(separator: " ") }
    }

    /// What the report describes besides the loss.
    enum Focus: Sendable {
        case lossAlone
        /// The gradient norms of the first and last blocks.
        case depth
        /// Time per step and memory.
        case cost
        /// The loss of the trained baseline with each head removed in turn.
        case heads
    }

    /// The name on the command line.
    package let name: String
    /// The heading in the report.
    package let title: String
    /// The expected effect and its reason, in one to four sentences.
    package let question: String
    let focus: Focus
    /// The arms, without the baseline.
    package let arms: [Arm]

    init(
        _ name: String,
        _ title: String,
        _ question: String,
        focus: Focus = .lossAlone,
        _ arms: [(name: String, options: [(name: String, value: String)])]
    ) {
        self.name = name
        self.title = title
        self.question = question
        self.focus = focus
        self.arms = arms.map { Arm(name: $0.name, options: $0.options) }
    }

    static let baseline = Arm(name: "baseline", options: [])

    package static func named(_ name: String) -> Experiment? { all.first { $0.name == name } }
}
