import Formats
import Platform
import Training
import Transformer

/// The results of a session as JSON, as sentences and as an HTML page.
struct ExperimentReport {
    private let session: ExperimentSession

    init(_ session: ExperimentSession) { self.session = session }

    private typealias ArmResult = ExperimentSession.ArmResult

    /// The sentences of each experiment, in the order of its arms.
    var sentences: [(title: String, sentences: [String])] {
        zip(session.experiments, session.results).map { experiment, arms in
            let heads = experiment.focus == .heads ? Findings.heads(session.ablations) : []
            return (experiment.title, arms.flatMap { findings(experiment, $0).sentences } + heads)
        }
    }

    private func findings(_ experiment: Experiment, _ arm: ArmResult) -> Findings {
        Findings(arm: arm, baseline: session.baseline, focus: experiment.focus)
    }

    // MARK: - JSON

    var json: JSONValue {
        let values = session.configuration.values
        return .object([
            .init("dataset", .string(session.dataset.name)),
            .init("seeds", .array(session.seeds.map { .integer($0) })),
            .init("finished", .bool(session.isFinished)),
            .init("stopped", .bool(session.isStopped)),
            .init("iterations", .integer(values.maxIters)),
            .init("command", .string((["ddp-train"] + arguments.map(\.shellQuoted)).joined(separator: " "))),
            .init("baseline", arm(session.baseline)),
            .init(
                "experiments",
                .array(
                    zip(session.experiments, session.results).map { experiment, arms in
                        .object(
                            [
                                .init("name", .string(experiment.name)),
                                .init("title", .string(experiment.title)),
                                .init("question", .string(experiment.question)),
                                .init("arms", .array(arms.map { arm($0, findings(experiment, $0)) })),
                            ] + (experiment.focus == .heads ? heads : [])
                        )
                    }
                )
            ),
        ])
    }

    /// The arguments of the baseline, without `--out_dir`: the session's folder holds all runs and is not the folder of
    /// one run.
    private var arguments: [String] { session.configuration.arguments.filter { !$0.hasPrefix("--out_dir=") } }

    private func arm(_ result: ArmResult, _ findings: Findings? = nil) -> JSONValue {
        .object(
            [
                .init("name", .string(result.arm.name)),
                .init("options", .string(result.arm.command)),
                .init("runs", .array(result.runs.map(run))),
            ]
                + (findings.map { findings in
                    let difference = findings.difference
                    return [
                        .init("final_loss", number(findings.finalLoss?.mean)),
                        .init("difference", number(difference?.mean)),
                        .init("interval", interval(difference?.interval)),
                        .init("clear", .bool(difference?.isClear ?? false)),
                        .init("sentences", .array(findings.sentences.map { .string($0) })),
                    ]
                } ?? [])
        )
    }

    private func run(_ run: ExperimentRun) -> JSONValue {
        func points(_ points: [(iteration: Int, loss: Double)]) -> JSONValue {
            .array(points.filter { $0.loss.isFinite }.map { .array([.integer($0.iteration), .number($0.loss)]) })
        }
        func depth(_ depth: GradientDepth?) -> JSONValue {
            .array((depth?.norms ?? []).map { number($0) })
        }
        return .object([
            .init("seed", .integer(run.seed)),
            .init("final_loss", number(run.finalLoss)),
            .init("optimum", number(run.optimum)),
            .init("training", points(run.training)),
            .init("validation", points(run.validation)),
            .init("gradient_norms_at_start", depth(run.gradients.start)),
            .init("gradient_norms_at_end", depth(run.gradients.end)),
            .init("seconds_per_step", .number(run.secondsPerStep)),
            .init("bytes", .integer(run.bytes)),
            .init("parameters", .integer(run.parameterCount)),
            .init("failure", run.failure.map { .string($0) } ?? .null),
            .init("sample", .string(run.sample)),
        ])
    }

    private var heads: [JSONValue.Member] {
        let seeds = session.ablations.map { ablation in
            JSONValue.object([
                .init("seed", .integer(ablation.seed)),
                .init("rises", .array(ablation.rises.map { .array($0.map { number($0) }) })),
            ])
        }
        return [
            .init("heads", .array(seeds)),
            .init("sentences", .array(Findings.heads(session.ablations).map { .string($0) })),
        ]
    }

    private func number(_ value: Double?) -> JSONValue { value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null }

    private func interval(_ interval: ClosedRange<Double>?) -> JSONValue {
        interval.map { .array([.number($0.lowerBound), .number($0.upperBound)]) } ?? .null
    }

    // MARK: - Page

    var page: HTMLPage {
        HTMLPage(
            title: "Experiments on \(session.dataset.name)",
            script: PackageResources.experiments_js,
            style: PackageResources.experiments_css,
            data: json,
            reload: session.isFinished || session.isStopped ? nil : 15
        )
    }
}
