import Compute
import Formats
import Text
import Transformer

/// One update of the parameters from the gradient of a whole step: accumulation, clipping, AdamW.
///
/// The sequences of a step are numbered over all its micro-batches. Which micro-batch a sequence falls into changes neither
/// its text nor its dropout, and the loss is the mean over all tokens of all of them.
public final class TrainingStep {
    public struct Result {
        public let loss: Double
        public let gradientNorm: Double
        public let learningRate: Double
    }

    public let model: GPT
    let optimizer: AdamW
    private let sampler: BatchSampler
    private let schedule: LearningRateSchedule
    private let batchSize: Int
    private let gradientClip: Double
    private let seed: UInt64
    /// Filled anew by each micro-batch; kept so that no step allocates.
    private var tokens: [Int32] = []
    private var targets: [Int32] = []

    public init(model: GPT, optimizer: AdamW, sampler: BatchSampler, configuration: TrainingConfiguration) {
        self.model = model
        self.optimizer = optimizer
        self.sampler = sampler
        schedule = LearningRateSchedule(configuration)
        batchSize = configuration.batchSize
        gradientClip = configuration.gradClip
        seed = UInt64(configuration.seed)
    }

    /// Sequences of a step over all micro-batches.
    public var sequences: Int { sampler.sequencesPerStep }

    /// - Parameter progress: told how many sequences of the step are done.
    /// - Throws: `NonFinite` before anything is changed when loss or gradient are not finite;
    ///   `UserError(.data)` when the data hold an id beyond the vocabulary.
    public func update(_ iteration: Int, progress: (Int) -> Void = { _ in }) throws -> Result {
        let learningRate = schedule.rate(at: iteration)
        let loss = try accumulate(iteration, progress: progress)
        let norm = GradientNorm.measure(model.gradients, pool: model.pool)
        guard loss.isFinite, norm.isFinite else {
            throw NonFinite(iteration: iteration, loss: loss, learningRate: learningRate, gradientNorm: norm)
        }
        optimizer.step(
            iteration + 1,
            parameters: model.parameters,
            gradients: model.gradients,
            learningRate: learningRate,
            gradientScale: GradientNorm.clippingScale(norm: norm, maximum: gradientClip),
            pool: model.pool
        )
        return Result(loss: loss, gradientNorm: norm, learningRate: learningRate)
    }

    /// Leaves the gradient of the step's mean loss in the model, and returns that loss.
    private func accumulate(_ iteration: Int, progress: (Int) -> Void) throws -> Double {
        model.zeroGradients()
        let tokenCount = sequences * sampler.blockSize
        var sum = 0.0
        for first in stride(from: 0, to: sequences, by: batchSize) {
            let count = min(batchSize, sequences - first)
            try sampler.fill(step: iteration, firstSequence: first, count: count, tokens: &tokens, targets: &targets)
            var done = first
            sum += model.forwardBackward(
                tokens: tokens,
                targets: targets,
                sequenceLength: sampler.blockSize,
                gradientScale: 1 / Float(tokenCount),
                dropout: DropoutKey(seed: seed, step: iteration, firstSequence: first)
            ) { sequences in
                done += sequences
                progress(done)
            }
            guard sum.isFinite else { break }
        }
        return sum / Double(tokenCount)
    }

    /// A loss or gradient that no update can follow.
    public struct NonFinite: Error {
        public let iteration: Int
        public let loss: Double
        public let learningRate: Double
        public let gradientNorm: Double
    }
}

extension LearningRateSchedule {
    init(_ configuration: TrainingConfiguration) {
        self.init(
            learningRate: configuration.learningRate,
            minimum: configuration.minLR,
            warmupIterations: configuration.warmupIters,
            decayIterations: configuration.lrDecayIters,
            decays: configuration.decayLR
        )
    }
}

extension AdamW.Options {
    public init(_ configuration: TrainingConfiguration) {
        self.init(
            beta1: configuration.beta1,
            beta2: configuration.beta2,
            weightDecay: configuration.weightDecay
        )
    }
}
