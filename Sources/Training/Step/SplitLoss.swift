import Datasets
import Platform
import Transformer

/// The loss of a whole split: each of its tokens but the first is scored exactly once, in blocks that do not overlap.
public struct SplitLoss: Equatable, Sendable {
    /// Mean in nats per token.
    public var loss: Double
    /// Tokens that were predicted: all of the split but the first.
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
    /// - Throws: `UserError(.data)` when the split has nothing to score, or a token id is not in the vocabulary.
    public init(
        of model: GPT,
        dataset: Dataset,
        split: Dataset.Split,
        batchSize: Int,
        boundaries: DocumentBoundaries? = nil,
        progress: (Double) -> Void = { _ in }
    ) throws {
        if let reason = dataset.nothingToScore(in: split) {
            throw UserError(.data, "there is nothing to score: \(reason); choose a split or a dataset that has tokens")
        }
        let blocks = SplitBlocks(
            dataset.sequence(of: split),
            blockSize: model.configuration.blockSize,
            batchSize: batchSize
        )
        var (tokens, targets): ([Int32], [Int32]) = ([], [])
        var (sum, optimum, scored) = (0.0, 0.0, 0)
        var differences: [Double] = []
        for batch in blocks.batches {
            try blocks.read(batch, tokens: &tokens, targets: &targets)
            let loss = model.loss(
                tokens: tokens,
                targets: targets,
                sequenceLength: batch.length,
                boundaries: boundaries
            )
            sum += loss
            if let demo = dataset.demo {
                let best = try demo.optimum(tokens: tokens, targets: targets, blockSize: batch.length)
                optimum += best.mean * Double(tokens.count)
                // A shorter block has less context, so that it is no sample of the same distribution.
                if batch.length == model.configuration.blockSize {
                    differences.append(loss / Double(tokens.count) - best.mean)
                }
            }
            scored += batch.targetCount
            progress(Double(scored) / Double(blocks.sequence.targetCount))
        }
        self.tokens = scored
        loss = sum / Double(scored)
        bitsPerByte = try dataset.bytesPerToken(of: split).map { [loss] in
            BitsPerByte.value(loss: loss, bytesPerToken: $0)
        }
        self.optimum = dataset.demo == nil ? nil : optimum / Double(scored)
        if differences.count > 1 {
            let mean = differences.reduce(0, +) / Double(differences.count)
            let squares = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            standardError = (squares / Double(differences.count * (differences.count - 1))).squareRoot()
        }
    }
}
