import Configuration
import Training
import Transformer

/// How long steps, evaluations and a whole run take, from what their pieces cost.
package struct TimePlan: Equatable, Sendable {
    /// Sequences of a chunk, and of the rank that has the most of a step.
    package let chunkSequences: Int
    /// Of a step's sequences, those of the rank that has the most.
    package let sequencesPerRank: Int
    /// Forward and backward passes of a step.
    package let passes: Double
    /// The gradient's clearing and norm, and the update of the parameters; seconds of each step.
    package let update: Double
    /// Of a step, all zero for one rank.
    package let communication: Ring.Cost
    /// One evaluation, without what follows it.
    package let evaluation: Double
    /// The sample after an evaluation, 0 without a tokenizer.
    package let sample: Double
    /// One checkpoint.
    package let checkpoint: Double
    /// Updates still to make.
    package let steps: Int
    /// Evaluations still to make.
    package let evaluations: Int
    /// Checkpoints at most: every evaluation may be the best so far.
    package let checkpoints: Int

    /// A forward pass is about a third of a whole one; what the last chunk's backward takes hides communication.
    private static let backwardShare = 2.0 / 3

    /// - Parameters:
    ///   - ring: nil for one rank.
    ///   - iteration: where a resumed run goes on.
    ///   - storage: bytes a second of saving; nil counts nothing.
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
        // None at iteration 0, or where a run goes on.
        checkpoints = values.evalOnly ? 0 : max(0, evaluations - 1)
    }

    /// Seconds of a step, with what of communication is not hidden.
    package var step: Double { passes + update + communication.exposed }

    /// Seconds of what is left of the run, with evaluations, samples and checkpoints.
    package var run: Double {
        Double(steps) * step + Double(evaluations) * (evaluation + sample) + Double(checkpoints) * checkpoint
    }

    /// What is added to a run's length before it is asked of Slurm: a fifth of it, and five minutes.
    package static let slurmMargin = "20 % and 5 minutes"

    /// `HH:MM:SS` for `sbatch --time`, in whole minutes; hours may have more than two digits.
    package var slurmTime: String {
        let minutes = Int((run * 1.2 / 60).rounded(.up)) + 5
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(two(minutes / 60)):\(two(minutes % 60)):00"
    }
}
