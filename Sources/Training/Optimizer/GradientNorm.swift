import Compute

/// The Euclidean norm of the whole flat gradient, and clipping by it.
public enum GradientNorm {
    /// `sqrt(Σ g²)` over all elements, the same bits with any number of threads; infinite or NaN when an element is.
    public static func measure(_ gradients: borrowing FloatBuffer, context: ComputeContext) -> Double {
        VectorOperations.sumOfSquares(UnsafeBufferPointer(gradients.elements), context: context).squareRoot()
    }

    /// The factor that brings a gradient of this norm down to `maximum`: PyTorch's `clip_grad_norm_`,
    /// `min(1, maximum / (norm + 1e-6))`. A maximum of 0 turns clipping off.
    public static func clippingScale(norm: Double, maximum: Double) -> Float {
        maximum > 0 ? Float(min(1, maximum / (norm + 1e-6))) : 1
    }
}
