import Compute
import Configuration
import Datasets
import Training
import Transformer

/// How much a trained model's validation loss rises when one head's output is taken for zero, head by head.
struct HeadAblation: Sendable {
    let seed: Int
    /// Of each layer and head: the rise in nats.
    let rises: [[Double]]

    /// - Parameter dataset: has validation data.
    /// - Throws: `UserError` as reading the data does.
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
