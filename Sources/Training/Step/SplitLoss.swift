import Datasets
import Transformer

/// The loss of a whole split, cut into blocks of the block size that do not overlap: each target is scored once.
public struct SplitLoss: Equatable, Sendable {
    /// Mean in nats per token.
    public var loss: Double
    /// Tokens that were predicted: a multiple of the block size.
    public var tokens: Int
    /// The lowest loss that any predictor can reach on the same tokens, in nats per token; nil if it is not known.
    public var optimum: Double?
    /// Standard error of `loss - optimum`, from the differences of batches of blocks; nil for fewer than two.
    public var standardError: Double?
    /// The loss in bits per byte of text; nil if the number of bytes is not known.
    public var bitsPerByte: Double?

    /// - Parameters:
    ///   - batchSize: blocks in one pass through the model; changes nothing but speed.
    ///   - boundaries: the document boundaries that attention does not cross; nil for none.
    ///   - progress: called with the share that is done.
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
