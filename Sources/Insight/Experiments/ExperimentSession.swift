import Compute
import Configuration
import Datasets
import Formats
import Platform
import Training
import Transformer

/// Runs experiments: for each seed, trains the baseline and then every arm.
package final class ExperimentSession {
    /// The finished runs of one arm.
    struct ArmResult {
        let arm: Experiment.Arm
        var runs: [ExperimentRun] = []
    }

    /// Whether all arms were trained, or a stop request ended the session early.
    package enum Outcome: Sendable { case finished, stopped }

    let experiments: [Experiment]
    let seeds: [Int]
    let configuration: ResolvedConfiguration
    let dataset: Dataset
    private(set) var baseline = ArmResult(arm: Experiment.baseline)
    /// The results of each experiment's arms, in the order of `experiments`.
    private(set) var results: [[ArmResult]]
    /// One per seed, measured on the baseline of that seed.
    private(set) var ablations: [HeadAblation] = []
    private(set) var isFinished = false
    /// Whether a stop request ended the session early.
    private(set) var isStopped = false

    private let output: RunOutput
    private let stop: StopRequest
    private var pagePath: String { configuration.values.outDir + "/experiments.html" }

    /// - Parameter configuration: the baseline's, from `base(_:)`. Runs and report are written to its `out_dir`.
    /// - Throws: `UserError(.usage)` if an arm is invalid with this configuration or the folder is not empty, and
    ///   `UserError(.data)` if the dataset has nothing to validate on.
    package init(
        _ experiments: [Experiment],
        seedCount: Int,
        configuration: ResolvedConfiguration,
        dataset: Dataset,
        output: RunOutput,
        stop: StopRequest
    ) throws {
        if let reason = dataset.nothingToScore(in: .validation) {
            throw UserError(.data, "experiments compare validation losses, but \(reason); choose another --dataset")
        }
        guard configuration.values.seed <= Int.max - seedCount else {
            throw UserError(
                .usage,
                "seed=\(configuration.values.seed) is too large for \(seedCount) consecutive seeds: choose a smaller --seed"
            )
        }
        self.experiments = experiments
        seeds = (0..<seedCount).map { configuration.values.seed + $0 }
        self.configuration = configuration
        self.dataset = dataset
        self.output = output
        self.stop = stop
        results = experiments.map { $0.arms.map { ArmResult(arm: $0) } }
        let folder = configuration.values.outDir
        let isTaken = try FileSystem.kind(of: folder) != nil && !FileSystem.names(inFolder: folder).isEmpty
        guard configuration.values.overwrite || !isTaken else {
            throw UserError(
                .usage,
                "\(folder) is not empty: choose another --out_dir, or replace its experiments with --overwrite"
            )
        }
        // Check every arm before training starts.
        let baseline = try configured(Experiment.baseline, seed: seeds[0]).values
        for arm in experiments.flatMap(\.arms) {
            var changed = try configured(arm, seed: seeds[0]).values
            changed.outDir = baseline.outDir
            guard changed != baseline else {
                throw UserError(
                    .usage,
                    "the arm \(arm.name) equals the baseline, which already has \(arm.command): leave that option out"
                )
            }
        }
    }

    /// Fills in `defaults(iterations:)` for the options that the user did not set. With the defaults, all experiments
    /// take 6 to 16 minutes on a CPU with two cores.
    package static func base(_ resolved: ResolvedConfiguration) throws -> ResolvedConfiguration {
        var base = resolved
        let iterations = resolved.isExplicit(\.maxIters) ? resolved.values.maxIters : 600
        // If the user named a preset, its values count as set.
        func isUserChoice(_ key: ConfigurationKey) -> Bool {
            if case .preset = resolved.origin(of: key) { return resolved.isExplicit(\.preset) }
            return resolved.isExplicit(key)
        }
        for (name, value) in defaults(iterations: iterations) where !isUserChoice(.named(name)!) {
            try base.choose("the size of experiments", setting: name, to: value)
        }
        try base.validate()
        return base
    }

    /// The default options of a run with the given number of iterations.
    package static func defaults(iterations: Int = 600) -> [(name: String, value: String)] {
        [
            ("dataset", DemoCorpus.name), ("n_layer", "3"), ("n_head", "4"), ("n_embd", "64"), ("block_size", "32"),
            ("dropout", "0"), ("batch_size", "24"), ("gradient_accumulation_steps", "1"),
            ("max_iters", "\(iterations)"), ("lr_decay_iters", "\(max(1, iterations))"),
            ("warmup_iters", "\(max(1, iterations / 20))"), ("learning_rate", "3e-3"), ("min_lr", "3e-4"),
            ("beta2", "0.99"),
            ("eval_interval", "\(max(1, iterations / 6))"), ("eval_iters", "10"), ("log_interval", "5"),
            ("always_save_checkpoint", "false"), ("out_dir", "out-experiments"),
        ]
    }

    /// Trains all arms with all seeds, and writes the report after each run.
    ///
    /// - Throws: `UserError`.
    package func run() throws -> Outcome {
        let peak = MachinePeak.measure(
            pool: WorkerPool(threadCount: Processors.count(asked: configuration.values.threads)),
            rounds: 5
        )
        let arms = [Experiment.baseline] + experiments.flatMap(\.arms)
        let total = arms.count * seeds.count
        var done = 0
        let start = ContinuousClock.now
        let measuresHeads = experiments.contains { $0.focus == .heads }
        for seed in seeds {
            for arm in arms {
                let place = "run \(done + 1) of \(total): \(arm.name), seed \(seed)"
                output.progress(place)
                let run = try ExperimentRun.train(
                    try configured(arm, seed: seed),
                    dataset: dataset,
                    stop: stop,
                    peak: peak,
                    progress: { [output] _ in output.progress(place) },
                    keepModel: { [self] model in
                        guard measuresHeads && arm.options.isEmpty else { return }
                        var values = configuration.values
                        values.seed = seed
                        ablations.append(try HeadAblation(of: model, dataset: dataset, values: values))
                    }
                )
                guard let run else {
                    isStopped = true
                    try writeReport()
                    return .stopped
                }
                record(run, of: arm)
                done += 1
                let elapsed = (ContinuousClock.now - start) / .seconds(1)
                let left =
                    done == total
                    ? "" : ", about \(RunClock.text(seconds: elapsed / Double(done) * Double(total - done))) left"
                let loss = run.finalLoss.map { "validation loss \(Numbers.fixed($0, 4))" } ?? "training broke down"
                output.line("\(place): \(loss)\(left)")
                isFinished = done == total
                try writeReport()
            }
        }
        return .finished
    }

    private func configured(_ arm: Experiment.Arm, seed: Int) throws -> ResolvedConfiguration {
        var configured = configuration
        for (name, value) in arm.options { try configured.choose("arm \(arm.name)", setting: name, to: value) }
        configured.choose("seed of the experiment", \.seed, seed)
        let folder = "\(configuration.values.outDir)/\(arm.folder)/seed-\(seed)"
        configured.choose("run of the experiment", \.outDir, folder)
        try configured.validate()
        return configured
    }

    private func record(_ run: ExperimentRun, of arm: Experiment.Arm) {
        if arm.options.isEmpty { return baseline.runs.append(run) }
        for experiment in results.indices {
            for index in results[experiment].indices where results[experiment][index].arm.name == arm.name {
                results[experiment][index].runs.append(run)
            }
        }
    }

    private func writeReport() throws {
        let report = ExperimentReport(self)
        try FileSystem.createFolder(configuration.values.outDir)
        try AtomicFile.write(report.json.text() + "\n", to: configuration.values.outDir + "/experiments.json")
        try AtomicFile.write(report.page.text, to: pagePath)
    }

    /// The results, for `--json`.
    package var json: JSONValue { ExperimentReport(self).json }

    /// The findings as sentences, and the path of the page.
    package var lines: [String] {
        ExperimentReport(self).sentences.filter { !$0.sentences.isEmpty }.flatMap { entry in
            ["", entry.title] + entry.sentences.map { "  " + $0 }
        }
            + (isStopped
                ? ["", "stopped: arms that were not trained are left out; run again with --overwrite to start over"]
                : [])
            + ["", "report: \(pagePath)"]
    }
}
