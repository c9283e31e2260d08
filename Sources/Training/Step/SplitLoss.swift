import Text
import Transformer

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
