import Configuration
import Training
import Transformer

/// The time of steps, evaluations and the whole run in seconds, computed from the times of their pieces.
package struct TimePlan: Equatable, Sendable {
    /// The number of sequences in a full chunk.
    package let chunkSequences: Int
    /// The number of sequences per step on the rank that has the most.
    package let sequencesPerRank: Int
    /// Forward and backward passes per step.
    package let passes: Double
    /// Zeroing the gradient, its norm, and the update of the parameters, per step.
    package let update: Double
    /// Communication per step; zero for one rank.
    package let communication: Ring.Cost
    /// One evaluation, without sample and checkpoint.
    package let evaluation: Double
    /// The sample after an evaluation; 0 without a tokenizer.
    package let sample: Double
    /// One checkpoint.
    package let checkpoint: Double
    /// The number of remaining updates.
    package let steps: Int
    /// The number of remaining evaluations.
    package let evaluations: Int
    /// The maximum number of checkpoints: one per evaluation, because each may have the best loss so far.
    package let checkpoints: Int

    /// The share of the backward pass in a forward and backward pass.
    private static let backwardShare = 2.0 / 3

    /// - Parameters:
    ///   - ring: nil for one rank.
    ///   - iteration: the iteration at which a resumed run continues.
    ///   - storage: the speed of saving in bytes per second; nil means that saving takes no time.
    package init(
        values: TrainingConfiguration,
        model: GPTConfiguration,
        costs: PieceCosts,
        ring: Ring? = nil,
        iteration: Int = 0,
        samples: Bool = true,
        storage: Double? = nil
    ) {
        let ranks = ring?.ranks ?? 1
        func share(_ sequences: Int) -> Int { (sequences + ranks - 1) / ranks }
        let perRank = share(values.gradientAccumulationSteps * values.batchSize)
        let chunk = GPT.chunkSequences(batch: min(values.batchSize, perRank), length: model.blockSize)
        chunkSequences = chunk
        sequencesPerRank = perRank
        passes = Double(perRank) / Double(chunk) * costs.chunkTraining
        update = costs.update
        communication =
            ring?.cost(configuration: model, backward: costs.chunkTraining * Self.backwardShare)
            ?? Ring.Cost(total: 0, hidden: 0)
        let evaluated = share(2 * values.evalIters * values.batchSize)
        evaluation = Double(evaluated) / Double(chunk) * costs.chunkForward
        sample = samples ? Double(MemoryPlan.sampleTokens) * costs.sampledToken : 0
        let layout = ParameterLayout(model)
        let saved = 4 * layout.count + Optimizer.stateBytes(layout: layout, configuration: values)
        checkpoint = storage.map { Double(saved) / $0 } ?? 0
        steps = values.evalOnly ? 0 : max(0, values.maxIters - iteration)
        evaluations = values.evalOnly ? 1 : values.evaluationCount(after: iteration)
        // The first evaluation, at iteration 0 or after a resume, saves no checkpoint.
        checkpoints = values.evalOnly ? 0 : max(0, evaluations - 1)
    }

    /// Seconds per step, including communication that does not overlap with computation.
    package var step: Double { passes + update + communication.exposed }

    /// Seconds of the rest of the run, including evaluations, samples and checkpoints.
    package var run: Double {
        Double(steps) * step + Double(evaluations) * (evaluation + sample) + Double(checkpoints) * checkpoint
    }

    /// The margin that `slurmTime` adds to the run's time.
    package static let slurmMargin = "20 % and 5 minutes"

    /// The time limit for `sbatch --time` as `HH:MM:SS`, in whole minutes. Hours may have more than two digits.
    package var slurmTime: String {
        let minutes = Int((run * 1.2 / 60).rounded(.up)) + 5
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(two(minutes / 60)):\(two(minutes % 60)):00"
    }
}
