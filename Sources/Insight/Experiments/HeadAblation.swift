import Compute
import Configuration
import Datasets
import Training
import Transformer

/// How much a trained model's validation loss rises when the output of one head is set to zero, measured for each head.
struct HeadAblation: Sendable {
    let seed: Int
    /// The rise in nats per token, indexed by layer and head.
    let rises: [[Double]]

    /// - Parameter dataset: must have validation data.
    /// - Throws: `UserError` if the data cannot be read.
    init(of model: GPT, dataset: Dataset, values: TrainingConfiguration) throws {
        seed = values.seed
        let evaluation = try Evaluation(
            dataset: dataset,
            blockSize: model.configuration.blockSize,
            batchSize: values.batchSize,
            batchCount: values.evalIters,
            seed: values.seed
        )
        func loss(without head: HeadName?) throws -> Double {
            var configuration = model.configuration
            configuration.dropout = 0
            configuration.ablations.removedHeads += head.map { [$0] } ?? []
            let changed = GPT(
                configuration: configuration,
                context: ComputeContext(pool: model.pool),
                forTraining: false
            )
            changed.parameters.base.update(from: model.parameters.base, count: model.layout.count)
            return try evaluation.losses(of: changed)!.validation!
        }
        let whole = try loss(without: nil)
        rises = try (0..<model.configuration.layerCount).map { layer in
            try (0..<model.configuration.headCount).map { head in
                try loss(without: HeadName(layer: layer, head: head)) - whole
            }
        }
    }
}
