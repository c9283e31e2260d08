import Compute
import Training
import Transformer

/// For each tensor, the gradient of a text's mean loss and the update that the optimizer would compute from it.
struct GradientFlow: Equatable, Sendable {
    struct Tensor: Equatable, Sendable {
        let name: String
        let shape: [Int]
        let parameterNorm: Double
        let gradientNorm: Double
        /// The norm of the next update divided by the norm of the parameters; nil without an optimizer or if all
        /// parameters are 0.
        let updateRatio: Double?
    }

    /// The sum of `-ln p(target)` over all positions, in nats.
    let loss: Double
    /// The norm of the whole gradient, before clipping.
    let norm: Double
    /// The learning rate of the next update; nil for a model without an optimizer.
    let learningRate: Double?
    let tensors: [Tensor]

    /// - Parameters:
    ///   - model: must have memory for gradients. Its gradients are overwritten with those of the text.
    ///   - checkpoint: holds the optimizer's state; nil for a model of another tool.
    /// - Throws: `UserError(.data)` if the optimizer's state is damaged.
    init(_ model: GPT, tokens: [Int32], targets: [Int32], checkpoint: Checkpoint?) throws {
        model.zeroGradients()
        loss = model.forwardBackward(
            tokens: tokens,
            targets: targets,
            sequenceLength: tokens.count,
            gradientScale: 1 / Float(tokens.count),
            dropout: nil
        )
        norm = GradientNorm.measure(model.gradients, context: model.context)
        let update = try checkpoint.map { try ProposedUpdate(of: model, from: $0) }
        learningRate = update?.learningRate
        tensors = model.layout.tensors.map { tensor in
            let parameters = UnsafeBufferPointer(rebasing: model.parameters.elements[tensor.range])
            let gradients = UnsafeBufferPointer(rebasing: model.gradients.elements[tensor.range])
            let norm = parameters.norm
            let change = update.map { update in
                let changed = UnsafeBufferPointer(rebasing: update.parameters.elements[tensor.range])
                return zip(changed, parameters).reduce(0) { sum, pair in
                    let difference = Double(pair.0) - Double(pair.1)
                    return sum + difference * difference
                }.squareRoot()
            }
            return Tensor(
                name: tensor.name,
                shape: tensor.shape,
                parameterNorm: norm,
                gradientNorm: gradients.norm,
                updateRatio: norm > 0 ? change.map { $0 / norm } : nil
            )
        }
    }
}
