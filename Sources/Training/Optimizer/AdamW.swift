import Compute
import Platform
import Transformer

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019), by PyTorch's formula and order of operations.
///
/// With `g` the scaled gradient, `t` the number of the update counted from 1, and `η` the learning rate:
/// ```
/// p ← p (1 - η λ)                      only tensors of two or more dimensions decay
/// m ← β₁ m + (1 - β₁) g
/// v ← β₂ v + (1 - β₂) g²
/// p ← p - η / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε)
/// ```
public final class AdamW {
    /// What is the same for all updates. The defaults are nanoGPT's, with PyTorch's ε.
    public struct Options: Equatable, Sendable {
        /// β₁, at least 0 and below 1.
        public var beta1: Double
        /// β₂, at least 0 and below 1.
        public var beta2: Double
        /// ε, more than 0.
        public var epsilon: Double
        /// λ, of tensors of two or more dimensions only.
        public var weightDecay: Double

        /// Nothing is checked: the options of a run are.
        public init(beta1: Double = 0.9, beta2: Double = 0.95, epsilon: Double = 1e-8, weightDecay: Double = 0.1) {
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
        }
    }

    /// The same for every update.
    public let options: Options
    /// `m`, in the order of the parameter layout.
    public let firstMoments: FloatBuffer
    /// `v`, in the order of the parameter layout.
    public let secondMoments: FloatBuffer

    /// Which elements decay, in order and without gaps.
    private let ranges: [(range: Range<Int>, decays: Bool)]

    /// Moments of zero, 8 bytes a parameter together.
    public init(layout: ParameterLayout, options: Options) {
        self.options = options
        firstMoments = FloatBuffer(count: layout.count)
        secondMoments = FloatBuffer(count: layout.count)
        ranges = layout.tensors.map { ($0.range, $0.decays) }
    }

    /// One update of all parameters.
    /// - Parameters:
    ///   - update: `t`, counted from 1.
    ///   - gradientScale: multiplies each gradient first (clipping).
    public func step(
        _ update: Int,
        parameters: borrowing FloatBuffer,
        gradients: borrowing FloatBuffer,
        learningRate: Double,
        gradientScale: Float,
        pool: WorkerPool
    ) {
        precondition(parameters.count == firstMoments.count && gradients.count == firstMoments.count)
        precondition(update >= 1, "update \(update): updates are counted from 1")
        var settings = VectorOperations.AdamW(
            learningRate: Float(learningRate),
            beta1: Float(options.beta1),
            beta2: Float(options.beta2),
            epsilon: Float(options.epsilon),
            weightDecay: Float(options.weightDecay),
            biasCorrection1: Float(1 - pow(options.beta1, Double(update))),
            biasCorrection2: Float(1 - pow(options.beta2, Double(update))),
            gradientScale: gradientScale
        )
        VectorOperations.adamW(
            parameters: parameters.base,
            gradients: gradients.base,
            firstMoments: firstMoments.base,
            secondMoments: secondMoments.base,
            ranges: ranges.map { range, decays in
                settings.weightDecay = decays ? Float(options.weightDecay) : 0
                return (range, settings)
            },
            pool: pool
        )
    }
}
