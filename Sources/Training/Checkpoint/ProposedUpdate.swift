import Compute
import Transformer

/// The update that a run would make next if a model's gradient were that of its next step: by the checkpoint's optimizer,
/// options and learning rate, on a copy of the parameters. The model stays as it is.
public final class ProposedUpdate {
    /// The parameters after the update, in the order of the layout.
    public let parameters: FloatBuffer
    /// That of the checkpoint's iteration.
    public let learningRate: Double
    /// What the gradient is multiplied by first, so that its norm is not above `grad_clip`.
    public let gradientScale: Float

    /// - Parameter model: the checkpoint's, with gradients.
    /// - Throws: `UserError(.data)` when the optimizer's state is damaged, or its options are not a run's.
    public init(of model: GPT, from checkpoint: Checkpoint) throws {
        let configuration = try checkpoint.state.configuration
        let optimizer = Optimizer(layout: model.layout, configuration: configuration)
        try checkpoint.loadOptimizer(into: optimizer.state)
        let norm = GradientNorm.measure(model.gradients, pool: model.pool)
        parameters = FloatBuffer(count: model.layout.count)
        learningRate = LearningRateSchedule(configuration).rate(at: checkpoint.state.iteration)
        gradientScale = GradientNorm.clippingScale(norm: norm, maximum: configuration.gradClip)
        VectorOperations.copy(
            UnsafeBufferPointer(model.parameters.elements),
            to: parameters.elements,
            pool: model.pool
        )
        optimizer.update(
            checkpoint.state.iteration + 1,
            parameters: parameters,
            gradients: model.gradients,
            learningRate: learningRate,
            gradientScale: gradientScale,
            pool: model.pool
        )
    }
}
