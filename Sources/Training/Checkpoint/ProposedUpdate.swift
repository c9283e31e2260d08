import Compute
import Transformer

/// The update that a run would make if its next step had the gradient that a model holds: by the checkpoint's
/// optimizer, options and learning rate, on a copy of the parameters. The model does not change.
public final class ProposedUpdate {
    /// The parameters after the update, in the order of the layout.
    public let parameters: FloatBuffer
    /// The learning rate at the checkpoint's iteration.
    public let learningRate: Double
    /// The factor that brings the norm of the gradient down to `grad_clip`; 1 if it is not above that.
    public let gradientScale: Float

    /// - Parameter model: a model with gradients, loaded from the checkpoint.
    /// - Throws: `UserError(.data)` when the optimizer's state is damaged, or an option has no valid value.
    public init(of model: GPT, from checkpoint: Checkpoint) throws {
        let configuration = try checkpoint.state.configuration
        let optimizer = Optimizer(layout: model.layout, configuration: configuration)
        try checkpoint.loadOptimizer(into: optimizer.state)
        let norm = GradientNorm.measure(model.gradients, context: model.context)
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
            context: model.context
        )
    }
}
