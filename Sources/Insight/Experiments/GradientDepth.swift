import Compute
import Datasets
import Transformer

/// The norm of the loss's gradient with respect to the parameters of each block.
struct GradientDepth: Equatable, Sendable {
    /// One norm per block, from the first to the last.
    let norms: [Double]

    /// The first block's norm divided by the last block's.
    var firstToLast: Double { norms[0] / norms[norms.count - 1] }

    /// Measures the gradient on the first evaluation batch of the training split, without dropout.
    ///
    /// - Throws: `UserError` if the data cannot be read.
    init(of model: GPT, dataset: Dataset, batchSize: Int, seed: Int) throws {
        var configuration = model.configuration
        configuration.dropout = 0
        let copy = GPT(configuration: configuration, context: ComputeContext(pool: model.pool))
        copy.parameters.base.update(from: model.parameters.base, count: model.layout.count)
        let sampler = try BatchSampler.evaluation(
            sequence: dataset.train,
            blockSize: configuration.blockSize,
            batchSize: batchSize,
            split: .train,
            seed: UInt64(seed)
        )
        var (tokens, targets): ([Int32], [Int32]) = ([], [])
        try sampler.fill(step: 0, firstSequence: 0, count: batchSize, tokens: &tokens, targets: &targets)
        _ = copy.forwardBackward(
            tokens: tokens,
            targets: targets,
            sequenceLength: configuration.blockSize,
            gradientScale: 1 / Float(tokens.count),
            dropout: nil
        )
        norms = copy.layout.blocks.map { UnsafeBufferPointer(rebasing: copy.gradients.elements[$0]).norm }
    }
}
