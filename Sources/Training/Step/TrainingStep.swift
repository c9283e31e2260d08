import Collectives
import Compute
import Configuration
import Datasets
import Platform
import Transformer

/// Makes one update of the parameters: accumulates the gradient of a step, clips it, and calls the optimizer.
///
/// The sequences of a step are numbered over all its micro-batches, and ranks take consecutive ones. A sequence has the
/// same text and dropout on any rank and in any micro-batch, and the loss is the mean over all tokens of the step. So
/// any number of ranks trains on the same batch, with the same weight for each token.
public final class TrainingStep {
    /// The figures of an update; the same on every rank.
    public struct Result {
        /// Mean over all tokens of the step, before the update, in nats.
        public let loss: Double
        /// Norm of the whole gradient, before clipping.
        public let gradientNorm: Double
        /// The learning rate of this update.
        public let learningRate: Double
        /// Whether any rank was asked to stop.
        public let stops: Bool
    }

    /// Trained in place.
    public let model: GPT
    let optimizer: Optimizer
    let sampler: BatchSampler
    private let schedule: LearningRateSchedule
    private let batchSize: Int
    private let gradientClip: Double
    private let seed: UInt64
    private let boundaries: DocumentBoundaries?
    private let communicator: Communicator
    private let reducer: GradientReducer
    /// This rank's share of a step's sequences.
    private let share: Range<Int>
    /// Filled anew by each micro-batch; kept so that no step allocates.
    private var tokens: [Int32] = []
    private var targets: [Int32] = []

    /// - Parameters:
    ///   - boundaries: the document boundaries that attention does not cross; nil for none.
    ///   - communicator: has at most as many ranks as the step has sequences.
    public init(
        model: GPT,
        optimizer: Optimizer,
        sampler: BatchSampler,
        configuration: TrainingConfiguration,
        boundaries: DocumentBoundaries? = nil,
        communicator: Communicator = Communicator()
    ) {
        self.model = model
        self.optimizer = optimizer
        self.sampler = sampler
        schedule = LearningRateSchedule(configuration)
        batchSize = configuration.batchSize
        gradientClip = configuration.gradClip
        seed = UInt64(configuration.seed)
        self.boundaries = boundaries
        self.communicator = communicator
        reducer = GradientReducer(
            communicator: communicator,
            gradients: model.gradients,
            owner: model,
            bucketBytes: configuration.bucketMegabytes * 1_000_000
        )
        share = Self.share(of: sampler.sequencesPerStep, rank: communicator.rank, worldSize: communicator.worldSize)
    }

    /// The sequences of a step that a rank computes: consecutive, and as many as other ranks have or one more.
    static func share(of sequences: Int, rank: Int, worldSize: Int) -> Range<Int> {
        sequences * rank / worldSize..<sequences * (rank + 1) / worldSize
    }

    /// Sequences of a step that this rank computes.
    public var sequences: Int { share.count }

    /// A rank that is asked to stop computes nothing more of the step, but takes part in all its sums: they cannot be
    /// cancelled everywhere, and the others may have begun them.
    ///
    /// - Parameters:
    ///   - stop: whether this rank is asked to stop.
    ///   - progress: called with the number of this rank's sequences that are done.
    /// - Throws: `Abandoned`, on every rank, when a rank was asked to stop before its part of the gradient was whole; `NonFinite`,
    ///   on every rank, when loss or gradient are not finite; nothing is changed then. `UserError(.data)` when the data have
    ///   a token id beyond the vocabulary; `CollectiveError.failed`.
    public func update(
        _ iteration: Int,
        stop: StopRequest = StopRequest(),
        progress: (Int) -> Void = { _ in }
    ) throws -> Result {
        communicator.step = iteration
        let learningRate = schedule.rate(at: iteration)
        let own = try accumulate(iteration, stop, progress: progress)
        try reducer.finish()
        let (loss, stops) = try agree(own, stopRequested: stop.isRequested)
        let norm = GradientNorm.measure(model.gradients, context: model.context)
        guard loss.isFinite, norm.isFinite else {
            throw NonFinite(iteration: iteration, loss: loss, learningRate: learningRate, gradientNorm: norm)
        }
        optimizer.update(
            iteration + 1,
            parameters: model.parameters,
            gradients: model.gradients,
            learningRate: learningRate,
            gradientScale: GradientNorm.clippingScale(norm: norm, maximum: gradientClip),
            context: model.context
        )
        return Result(loss: loss, gradientNorm: norm, learningRate: learningRate, stops: stops)
    }

    private var tokenCount: Int { sampler.sequencesPerStep * sampler.blockSize }

    /// The mean loss of the step, and whether any rank was asked to stop.
    ///
    /// - Parameter own: the sum of this rank's losses; nil where its part is not whole.
    /// - Throws: `Abandoned` where the part of any rank is not whole; `CollectiveError.failed`.
    private func agree(_ own: Double?, stopRequested: Bool) throws -> (loss: Double, stops: Bool) {
        let all = try communicator.allGather([own ?? 0, stopRequested ? 1 : 0, own == nil ? 1 : 0])
        guard all.allSatisfy({ $0[2] == 0 }) else { throw Abandoned() }
        return (all.reduce(0) { $0 + $1[0] } / Double(tokenCount), all.contains { $0[1] > 0 })
    }

    /// Computes this rank's part of the gradient of the step's mean loss, in the model, and returns the sum of its
    /// losses; nil where it was asked to stop before all was computed.
    private func accumulate(_ iteration: Int, _ stop: StopRequest, progress: (Int) -> Void) throws -> Double? {
        var sum: Double? = 0
        let isWhole = try model.pool.untilStopped(stop) {
            sum = try accumulateMicroBatches(iteration, stop, progress: progress)
        }
        return isWhole ? sum : nil
    }

    /// As `accumulate`; nil only where a micro-batch was not begun.
    private func accumulateMicroBatches(
        _ iteration: Int,
        _ stop: StopRequest,
        progress: (Int) -> Void
    ) throws -> Double? {
        model.zeroGradients()
        var sum = 0.0
        for first in stride(from: share.lowerBound, to: share.upperBound, by: batchSize) {
            guard !stop.isRequested else { return nil }
            let count = min(batchSize, share.upperBound - first)
            let isLast = first + count == share.upperBound
            try sampler.fill(step: iteration, firstSequence: first, count: count, tokens: &tokens, targets: &targets)
            var done = first - share.lowerBound
            sum += model.forwardBackward(
                tokens: tokens,
                targets: targets,
                sequenceLength: sampler.blockSize,
                gradientScale: 1 / Float(tokenCount),
                dropout: DropoutKey(seed: seed, step: iteration, firstSequence: first),
                boundaries: boundaries,
                progress: { sequences in
                    done += sequences
                    progress(done)
                },
                gradientFinished: isLast ? reducer.finished : nil
            )
            guard sum.isFinite else { break }
        }
        return sum
    }

    /// A rank was asked to stop within the step, so no update was made.
    public struct Abandoned: Error {}

    /// The loss or the gradient is infinite or not a number, so no update was made.
    public struct NonFinite: Error {
        /// Counted from 0: the update that was not made.
        public let iteration: Int
        /// Mean over all tokens of the step, in nats; may be infinite or not a number.
        public let loss: Double
        /// The learning rate of the update that was not made.
        public let learningRate: Double
        /// Norm of the whole gradient, before clipping; may be infinite or not a number.
        public let gradientNorm: Double
    }
}
