import Collectives
import Compute
import Configuration
import Datasets
import Platform
import Transformer

/// Mean losses of both splits in nats per token, and the lowest loss that any predictor can reach on the same tokens if
/// it is known.
public struct EvaluationLosses: Equatable, Sendable {
    /// Mean over the tokens of the split's batches, in nats.
    public var train: Double
    /// As `train`, of the validation split; nil where the dataset has none.
    public var validation: Double?
    /// The lowest loss that is possible, in nats per token. Known on rank 0, and for the demo corpus only.
    public var trainOptimum: Double?
    /// As `trainOptimum`, of the validation split.
    public var validationOptimum: Double?
    /// The loss in bits per byte of text, which compares between tokenizers; nil if the number of bytes is not known.
    public var trainBitsPerByte: Double?
    /// As `trainBitsPerByte`, of the validation split.
    public var validationBitsPerByte: Double?
}

/// Estimates the loss of both splits, on the same batches at every evaluation.
///
/// The batches are a function of the data and the seed. Training draws from another stream, so how often a run
/// evaluates changes no other figure.
public final class Evaluation {
    private struct Batches {
        let sampler: BatchSampler
        /// Mean bytes of text per token.
        let bytesPerToken: Double?
        var optimum: Double?
    }

    private var splits: [Dataset.Split: Batches] = [:]
    private let batchCount: Int
    private let boundaries: DocumentBoundaries?
    private let demo: DemoCorpus?
    private var tokens: [Int32] = []
    private var targets: [Int32] = []

    /// - Parameters:
    ///   - batchCount: batches per split.
    ///   - boundaries: the document boundaries that attention does not cross; nil for none.
    /// - Throws: `UserError(.usage)` when the training split has no target.
    public init(
        dataset: Dataset,
        blockSize: Int,
        batchSize: Int,
        batchCount: Int,
        seed: Int,
        boundaries: DocumentBoundaries? = nil
    ) throws {
        self.batchCount = batchCount
        self.boundaries = boundaries
        demo = dataset.demo
        for split in Dataset.Split.allCases where split == .train || dataset.nothingToScore(in: split) == nil {
            splits[split] = Batches(
                sampler: try .evaluation(
                    sequence: dataset.sequence(of: split),
                    blockSize: blockSize,
                    batchSize: batchSize,
                    split: split,
                    seed: UInt64(seed)
                ),
                bytesPerToken: try dataset.bytesPerToken(of: split)
            )
        }
    }

    /// Tokens of both splits in one evaluation.
    public var tokenCount: Int {
        splits.values.reduce(0) { $0 + batchCount * $1.sampler.sequencesPerStep * $1.sampler.blockSize }
    }

    /// The mean losses of a model. Ranks take batches in turn, or rank 0 takes all; every rank returns the same losses,
    /// which do not depend on the number of ranks.
    ///
    /// - Parameters:
    ///   - progress: called with the share of this rank's batches that is done.
    ///   - stop: ends the evaluation of all ranks where one is asked to stop.
    /// - Returns: nil if a rank was asked to stop before its batches were done.
    /// - Throws: `UserError(.data)` when a token id is not in the vocabulary; `CollectiveError` when a rank is lost.
    public func losses(
        of model: GPT,
        communicator: Communicator = Communicator(),
        on ranks: EvaluationRanks = .all,
        progress: (Double) -> Void = { _ in },
        stop: StopRequest = StopRequest()
    ) throws -> EvaluationLosses? {
        let turns = ranks == .all ? communicator.worldSize : 1
        let batches = Dataset.Split.allCases.filter { splits[$0] != nil }
            .flatMap { split in (0..<batchCount).map { (split, $0) } }
        let share =
            communicator.rank < turns ? stride(from: communicator.rank, to: batches.count, by: turns).map { $0 } : []
        // A rank's sums in the order of its batches, and at last whether it was stopped.
        var sums = [Double](repeating: 0, count: (batches.count + turns - 1) / turns + 1)
        for (done, index) in share.enumerated() {
            let (split, batch) = batches[index]
            let sampler = splits[split]!.sampler
            try fill(sampler, batch: batch)
            var sequences = 0
            let isWhole = model.pool.untilStopped(stop) {
                sums[done] = model.loss(
                    tokens: tokens,
                    targets: targets,
                    sequenceLength: sampler.blockSize,
                    boundaries: boundaries
                ) { count in
                    sequences += count
                    progress(
                        (Double(done) + Double(sequences) / Double(sampler.sequencesPerStep)) / Double(share.count)
                    )
                }
            }
            guard isWhole else {
                sums[sums.count - 1] = 1
                break
            }
        }
        let all = try communicator.allGather(sums)
        guard all.allSatisfy({ $0.last == 0 }) else { return nil }
        func mean(_ split: Dataset.Split) -> Double? {
            guard let sampler = splits[split]?.sampler else { return nil }
            let sum = batches.indices.filter { batches[$0].0 == split }.reduce(0) { $0 + all[$1 % turns][$1 / turns] }
            return sum / Double(batchCount * sampler.sequencesPerStep * sampler.blockSize)
        }
        func bitsPerByte(_ split: Dataset.Split) -> Double? {
            guard let loss = mean(split), let bytes = splits[split]?.bytesPerToken else { return nil }
            return BitsPerByte.value(loss: loss, bytesPerToken: bytes)
        }
        return EvaluationLosses(
            train: mean(.train)!,
            validation: mean(.validation),
            trainOptimum: communicator.isMain ? try optimum(.train, progress) : nil,
            validationOptimum: communicator.isMain ? try optimum(.validation, progress) : nil,
            trainBitsPerByte: bitsPerByte(.train),
            validationBitsPerByte: bitsPerByte(.validation)
        )
    }

    /// The optimum on the batches of a split, computed once.
    private func optimum(_ split: Dataset.Split, _ progress: (Double) -> Void) throws -> Double? {
        guard let demo, let batches = splits[split] else { return nil }
        if let known = batches.optimum { return known }
        var sum = 0.0
        for batch in 0..<batchCount {
            progress(1)
            try fill(batches.sampler, batch: batch)
            sum += try demo.optimum(tokens: tokens, targets: targets, blockSize: batches.sampler.blockSize).mean
        }
        splits[split]!.optimum = sum / Double(batchCount)
        return splits[split]!.optimum
    }

    private func fill(_ sampler: BatchSampler, batch: Int) throws {
        try sampler.fill(
            step: batch,
            firstSequence: 0,
            count: sampler.sequencesPerStep,
            tokens: &tokens,
            targets: &targets
        )
    }
}
