/// One question about the model, asked by changing one thing: arms beside a baseline that has the same data and seeds.
package struct Experiment: Sendable {
    /// A way to train, as the options of `ddp-train train` that differ from the baseline's.
    package struct Arm: Sendable {
        /// As in the report's table.
        package let name: String
        /// Without dashes, as the options' names.
        package let options: [(name: String, value: String)]

        /// The name of its runs' folder.
        var folder: String { String(name.map { $0.isLetter || $0.isNumber ? $0 : "-" }) }
        var command: String { options.map { "--\($0.name)=\($0.value)" }.joined(separator: " ") }
    }

    /// What is worth a sentence besides the loss.
    enum Focus: Sendable {
        case lossAlone
        /// Gradient of the first block against that of the last.
        case depth
        /// Time and memory of a step.
        case cost
        /// Each head of the trained baseline, taken out by itself.
        case heads
    }

    /// As typed on the command line.
    package let name: String
    /// A heading of the report.
    package let title: String
    /// What one may expect, and why; one or two sentences.
    package let question: String
    let focus: Focus
    /// Without the baseline.
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

    /// What every arm is compared with.
    static let baseline = Arm(name: "baseline", options: [])

    /// The experiment of this name.
    package static func named(_ name: String) -> Experiment? { all.first { $0.name == name } }
}
