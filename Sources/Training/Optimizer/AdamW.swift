import Configuration
import Compute
import Platform
import Transformer

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019), by PyTorch's formula and order of operations.
///
/// With `g` the scaled gradient, `t` the number of the update counted from 1, and `η` the learning rate:
/// ```
/// p ← p (1 - η λ)                      only matrices and embeddings decay
/// m ← β₁ m + (1 - β₁) g                exp_avg
/// v ← β₂ v + (1 - β₂) g²               exp_avg_sq
/// p ← p - η / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε)
/// ```
package struct AdamW: UpdateRule {
    package static let slots = ["exp_avg", "exp_avg_sq"]

    /// β₁, at least 0 and below 1.
    let beta1: Double
    /// β₂, at least 0 and below 1.
    let beta2: Double
    /// ε, more than 0.
    let epsilon: Double
    /// λ, of matrices, embeddings and the output head.
    let weightDecay: Double

    /// The defaults are nanoGPT's, with PyTorch's ε.
    package init(beta1: Double = 0.9, beta2: Double = 0.95, epsilon: Double = 1e-8, weightDecay: Double = 0.1) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }

    /// Takes `beta1`, `beta2` and `weight_decay`.
    init(_ configuration: TrainingConfiguration) {
        self.init(
            beta1: configuration.beta1,
            beta2: configuration.beta2,
            weightDecay: configuration.weightDecay
        )
    }

    package func update(_ tensors: [ParameterLayout.Tensor], _ update: ParameterUpdate) {
        var settings = VectorOperations.AdamW(
            learningRate: Float(update.learningRate),
            beta1: Float(beta1),
            beta2: Float(beta2),
            epsilon: Float(epsilon),
            weightDecay: Float(weightDecay),
            biasCorrection1: Float(1 - pow(beta1, Double(update.number))),
            biasCorrection2: Float(1 - pow(beta2, Double(update.number))),
            gradientScale: update.gradientScale
        )
        VectorOperations.adamW(
            parameters: update.parameters,
            gradients: update.gradients,
            firstMoments: update.slots[0],
            secondMoments: update.slots[1],
            ranges: tensors.map { tensor in
                settings.weightDecay = tensor.role == .vector ? 0 : Float(weightDecay)
                return (tensor.range, settings)
            },
            context: update.context
        )
    }
}
