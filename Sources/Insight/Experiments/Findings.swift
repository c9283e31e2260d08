import Platform
import Training

/// Sentences that compare an arm with the baseline.
///
/// Losses are compared between runs with the same seed and data, which removes the variation that both runs share.
struct Findings {
    let arm: ExperimentSession.ArmResult
    let baseline: ExperimentSession.ArmResult
    let focus: Experiment.Focus

    /// The runs of arm and baseline with the same seed.
    private var pairs: [(arm: ExperimentRun, baseline: ExperimentRun)] {
        arm.runs.compactMap { run in
            baseline.runs.first { $0.seed == run.seed }.map { (run, $0) }
        }
    }

    var finalLoss: SeedStatistics? { statistics(arm.runs.compactMap(\.finalLoss)) }

    /// The arm's final validation loss minus the baseline's.
    var difference: SeedStatistics? {
        statistics(
            pairs.compactMap { pair in
                guard let a = pair.arm.finalLoss, let b = pair.baseline.finalLoss else { return nil }
                return a - b
            }
        )
    }

    /// The arm's final validation loss minus the lowest possible loss.
    var aboveOptimum: SeedStatistics? {
        statistics(
            arm.runs.compactMap { run in
                guard let loss = run.finalLoss, let optimum = run.optimum else { return nil }
                return loss - optimum
            }
        )
    }

    private func statistics(_ values: [Double]) -> SeedStatistics? {
        values.isEmpty || !values.allSatisfy(\.isFinite) ? nil : SeedStatistics(values: values)
    }

    var sentences: [String] {
        let failed = arm.runs.filter { $0.failure != nil }
        var sentences: [String] = []
        if !failed.isEmpty {
            sentences.append(
                "\(arm.arm.name): training broke down with \(failed.count) of \(arm.runs.count) seeds: \(failed[0].failure!)."
            )
        }
        let broken = baseline.runs.count { $0.failure != nil }
        if broken > 0 {
            sentences.append(
                "The baseline itself broke down with \(broken) of \(baseline.runs.count) seeds, so this comparison is unreliable."
            )
        }
        guard let difference else { return sentences }
        sentences.append(loss(difference))
        if let leak { sentences.append(leak) }
        switch focus {
        case .depth: sentences += [depth].compactMap { $0 }
        case .cost: sentences += cost
        case .lossAlone, .heads: break
        }
        return sentences
    }

    private func loss(_ difference: SeedStatistics) -> String {
        let metric = "\(arm.arm.name): final validation loss"
        if difference.values.allSatisfy({ $0 == 0 }) {
            return "\(metric): no effect seen; it is exactly equal to the baseline's with every seed."
        }
        let size = Numbers.fixed(abs(difference.mean), 4)
        let direction = difference.mean < 0 ? "lower" : "higher"
        guard let interval = difference.interval else {
            return
                "\(metric) \(size) \(direction) than the baseline's with one seed; one seed cannot show how much of this is chance."
        }
        let range =
            "95 % interval \(Self.signed(interval.lowerBound)) to \(Self.signed(interval.upperBound)), \(difference.values.count) seeds"
        guard difference.isClear else {
            return
                "\(metric): no effect seen; the difference from the baseline is \(Self.signed(difference.mean)) (\(range))."
        }
        return "\(metric) \(size) \(direction) than the baseline's (\(range))."
    }

    /// Compares the loss with the corpus's optimum. A loss below the optimum means that the model can see its targets.
    private var leak: String? {
        guard let aboveOptimum else { return nil }
        let distance = Numbers.fixed(abs(aboveOptimum.mean), 4)
        let isBelow = aboveOptimum.interval.map { $0.upperBound < 0 } ?? (aboveOptimum.mean < 0)
        guard isBelow else {
            return "It ends \(distance) \(aboveOptimum.mean < 0 ? "below" : "above") the corpus's optimum."
        }
        return """
            It ends \(distance) below the corpus's optimum. That is possible only if the model can see the tokens that \
            it has to predict: the targets leak.
            """
    }

    private var depth: String? {
        func start(_ runs: [ExperimentRun]) -> SeedStatistics? {
            statistics(runs.compactMap { $0.gradients.start?.norms[0] })
        }
        func ratio(_ runs: [ExperimentRun]) -> SeedStatistics? {
            statistics(runs.compactMap { $0.gradients.end?.firstToLast })
        }
        guard let own = start(arm.runs), let usual = start(baseline.runs), let ownRatio = ratio(arm.runs),
            let usualRatio = ratio(baseline.runs)
        else { return nil }
        return """
            The first block's gradient has norm \(Numbers.short(own.mean)) before training (baseline \
            \(Numbers.short(usual.mean))); after training it is \(Self.times(ownRatio.mean)) that of the last block \
            (baseline \(Self.times(usualRatio.mean))).
            """
    }

    private var cost: [String] {
        guard let time = statistics(pairs.map { $0.arm.secondsPerStep / $0.baseline.secondsPerStep }),
            let pair = pairs.first
        else { return [] }
        let curve = pairs.flatMap { pair in
            zip(pair.arm.training, pair.baseline.training).map { abs($0.loss - $1.loss) }
        }
        return [
            "Over all logged steps, the arm's training loss differs from the baseline's by at most \(Numbers.short(curve.max() ?? 0)).",
            """
            A step takes \(Numbers.fixed(time.mean, 2)) times as long as the baseline's. Training needs \
            \(ByteCount.text(pair.arm.bytes)) of memory; the baseline needs \(ByteCount.text(pair.baseline.bytes)).
            """,
        ]
    }

    // MARK: - Heads

    /// Says which heads matter most. Heads are not compared between seeds, because head 0.1 of one seed is unrelated to
    /// head 0.1 of another.
    static func heads(_ ablations: [HeadAblation]) -> [String] {
        let most = ablations.map { ablation in
            ablation.rises.enumerated().flatMap { layer, heads in
                heads.enumerated().map { (rise: $1, head: "\(layer).\($0)") }
            }.max { $0.rise < $1.rise }!
        }
        guard !most.isEmpty else { return [] }
        let all = ablations.flatMap { $0.rises.joined() }
        let idle = all.count { abs($0) < 0.001 }
        let better = all.count { $0 <= -0.001 }
        let largest = SeedStatistics(values: most.map(\.rise))
        let interval = largest.interval.map {
            " (95 % interval \(signed($0.lowerBound)) to \(signed($0.upperBound)), \(most.count) seeds)"
        }
        return [
            "Without its most important head, a model's loss rises by \(Numbers.fixed(largest.mean, 4)) on average over seeds\(interval ?? "").",
            "The most important head of each seed: "
                + most.map { "head \($0.head) (the loss rises by \(Numbers.fixed($0.rise, 4)) without it)" }
                .joined(separator: "; ") + ".",
            """
            Of \(all.count) heads (counted over all seeds), removing \(idle) changes the loss by less than 0.001, and \
            removing \(better) lowers it by 0.001 or more.
            """,
        ]
    }

    // MARK: - Numbers

    private static func signed(_ value: Double) -> String { (value < 0 ? "" : "+") + Numbers.fixed(value, 4) }

    private static func times(_ ratio: Double) -> String {
        "\(ratio >= 0.01 && ratio < 1000 ? Numbers.fixed(ratio, 2) : Numbers.short(ratio)) times"
    }

}
