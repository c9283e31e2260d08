import Compute
import Training
import Transformer

/// The gradient of a text's mean loss, tensor by tensor, and the step that the optimizer would make of it.
struct GradientFlow: Equatable, Sendable {
    struct Tensor: Equatable, Sendable {
        let name: String
        let shape: [Int]
        /// Euclidean norms.
        let parameterNorm: Double
        let gradientNorm: Double
        /// The norm of the next update by that of the parameters; nil without an optimizer, or where the parameters are all 0.
        let updateRatio: Double?
    }

    /// Sum over all positions of `-log p(target)`, in nats.
    let loss: Double
    /// Of all gradients together, before clipping.
    let norm: Double
    /// Of the next update; nil for a model without an optimizer.
    let learningRate: Double?
    let tensors: [Tensor]

    /// - Parameters:
    ///   - model: with memory for gradients, which are those of the text afterwards.
    ///   - checkpoint: whose optimizer makes the update; nil for another tool's model, which has none.
    /// - Throws: `UserError(.data)` when the optimizer's state is damaged.
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
