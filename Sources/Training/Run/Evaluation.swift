import Collectives
import Compute
import Text
import Transformer

/// Mean losses of both splits in nats a token, and the least that any predictor can have on the same tokens where that is known.
public struct EvaluationLosses: Equatable, Sendable {
    /// Mean over the tokens of the split's batches, in nats.
    public var train: Double
    /// As `train`, of the validation split.
    public var validation: Double
    /// The least that is possible, in nats a token; nil for other text than the demo corpus, and for ranks other than
    /// 0.
    public var trainOptimum: Double?
    /// As `trainOptimum`, of the validation split.
    public var validationOptimum: Double?
    /// The losses by the bytes of text, where these are known: they compare over tokenizers.
    public var trainBitsPerByte: Double?
    /// As `trainBitsPerByte`, of the validation split.
    public var validationBitsPerByte: Double?
}

/// Estimates the loss of both splits on batches that are the same at every evaluation, so that figures compare.
///
/// The batches are a function of the data and the seed; training draws from another stream, so that evaluating more or
/// less often changes no other figure of a run.
public final class Evaluation {
    private struct Batches {
        let sampler: BatchSampler
        /// Bytes of text that a token stands for on average.
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
    ///   - batchCount: batches of each split.
    ///   - boundaries: between documents, which attention then does not cross.
    /// - Throws: `UserError(.usage)` when the block size is longer than the data.
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
        for split in Dataset.Split.allCases {
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

    /// The batches of both splits are dealt to the ranks in turn, or to rank 0 alone; every rank returns the same figures, which
    /// do not depend on the number of ranks.
    ///
    /// - Parameters:
    ///   - progress: told the share of this rank's batches that is done.
    ///   - isCancelled: asked before each batch; one rank that is cancelled cancels all.
    /// - Returns: nil when it was cancelled.
    /// - Throws: `UserError(.data)` when an id is not of the vocabulary; `CollectiveError` when a rank is lost.
    public func losses(
        of model: GPT,
        communicator: Communicator = Communicator(),
        on ranks: EvaluationRanks = .all,
        progress: (Double) -> Void = { _ in },
        isCancelled: () -> Bool = { false }
    ) throws -> EvaluationLosses? {
        let turns = ranks == .all ? communicator.worldSize : 1
        let batches = Dataset.Split.allCases.flatMap { split in (0..<batchCount).map { (split, $0) } }
        let share =
            communicator.rank < turns ? stride(from: communicator.rank, to: batches.count, by: turns).map { $0 } : []
        // A rank's sums in the order of its batches, and at last whether it was cancelled.
        var sums = [Double](repeating: 0, count: (batches.count + turns - 1) / turns + 1)
        for (done, index) in share.enumerated() {
            guard !isCancelled() else {
                sums[sums.count - 1] = 1
                break
            }
            let (split, batch) = batches[index]
            let sampler = splits[split]!.sampler
            try fill(sampler, batch: batch)
            var sequences = 0
            sums[done] = model.loss(
                tokens: tokens,
                targets: targets,
                sequenceLength: sampler.blockSize,
                boundaries: boundaries
            ) { count in
                sequences += count
                progress((Double(done) + Double(sequences) / Double(sampler.sequencesPerStep)) / Double(share.count))
            }
        }
        let all = try communicator.allGather(sums)
        guard all.allSatisfy({ $0.last == 0 }) else { return nil }
        func mean(_ split: Dataset.Split) -> Double {
            let sampler = splits[split]!.sampler
            let sum = batches.indices.filter { batches[$0].0 == split }.reduce(0) { $0 + all[$1 % turns][$1 / turns] }
            return sum / Double(batchCount * sampler.sequencesPerStep * sampler.blockSize)
        }
        func bitsPerByte(_ split: Dataset.Split) -> Double? {
            splits[split]!.bytesPerToken.map { BitsPerByte.value(loss: mean(split), bytesPerToken: $0) }
        }
        return EvaluationLosses(
            train: mean(.train),
            validation: mean(.validation),
            trainOptimum: communicator.isMain ? try optimum(.train) : nil,
            validationOptimum: communicator.isMain ? try optimum(.validation) : nil,
            trainBitsPerByte: bitsPerByte(.train),
            validationBitsPerByte: bitsPerByte(.validation)
        )
    }

    /// The optimum on the batches of a split, computed once.
    private func optimum(_ split: Dataset.Split) throws -> Double? {
        guard let demo, let batches = splits[split] else { return nil }
        if let known = batches.optimum { return known }
        var sum = 0.0
        for batch in 0..<batchCount {
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

/// The loss of a whole split: blocks of the block size without overlap, in order, each target scored once.
public struct SplitLoss: Equatable, Sendable {
    /// Mean in nats a token.
    public var loss: Double
    /// Tokens that were predicted: a multiple of the block size.
    public var tokens: Int
    /// The least that any predictor can have on the same tokens, where that is known.
    public var optimum: Double?
    /// Standard error of `loss - optimum`, from the differences of batches of blocks; nil for fewer than two.
    public var standardError: Double?
    /// The loss by the bytes of text, where these are known.
    public var bitsPerByte: Double?

    /// - Parameters:
    ///   - batchSize: blocks in one pass through the model; changes nothing but speed.
    ///   - boundaries: between documents, which attention then does not cross.
    ///   - progress: told the share that is done.
    /// - Throws: `UserError(.usage)` when the model's block size is longer than the split.
    public init(
        of model: GPT,
        dataset: Dataset,
        split: Dataset.Split,
        batchSize: Int,
        boundaries: DocumentBoundaries? = nil,
        progress: (Double) -> Void = { _ in }
    ) throws {
        let sampler = try BatchSampler.wholeSplit(
            sequence: dataset.sequence(of: split),
            blockSize: model.configuration.blockSize,
            batchSize: batchSize
        )
        var (tokens, targets): ([Int32], [Int32]) = ([], [])
        var sum = 0.0
        var optimum = 0.0
        var differences: [Double] = []
        for first in stride(from: 0, to: sampler.blockCount, by: batchSize) {
            let count = min(batchSize, sampler.blockCount - first)
            try sampler.fill(
                step: first / batchSize,
                firstSequence: 0,
                count: count,
                tokens: &tokens,
                targets: &targets
            )
            let loss = model.loss(
                tokens: tokens,
                targets: targets,
                sequenceLength: sampler.blockSize,
                boundaries: boundaries
            )
            sum += loss
            if let demo = dataset.demo {
                let best = try demo.optimum(tokens: tokens, targets: targets, blockSize: sampler.blockSize)
                optimum += best.mean * Double(tokens.count)
                differences.append(loss / Double(tokens.count) - best.mean)
            }
            progress(Double(first + count) / Double(sampler.blockCount))
        }
        self.tokens = sampler.blockCount * sampler.blockSize
        loss = sum / Double(self.tokens)
        bitsPerByte = try dataset.bytesPerToken(of: split).map { [loss] in
            BitsPerByte.value(loss: loss, bytesPerToken: $0)
        }
        self.optimum = dataset.demo == nil ? nil : optimum / Double(self.tokens)
        if differences.count > 1 {
            let mean = differences.reduce(0, +) / Double(differences.count)
            let squares = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            standardError = (squares / Double(differences.count * (differences.count - 1))).squareRoot()
        }
    }
}
