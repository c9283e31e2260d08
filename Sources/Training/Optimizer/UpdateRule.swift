import Compute
import Transformer

/// How an optimizer changes parameters by their gradients, such as `AdamW`.
///
/// A rule has no memory of its own: what it keeps of each parameter from one update to the next lies in slots of an
/// `OptimizerState`, so that every rule is saved, loaded, copied and sent to other ranks by the same code.
package protocol UpdateRule: Sendable {
    /// The names of the rule's slots, as checkpoints have them: the slot `exp_avg` of `wte` is saved as `exp_avg.wte`.
    /// All elements of a slot are zero before the first update.
    static var slots: [String] { get }

    /// Updates some tensors. Must change nothing else, and give the same bits with any number of threads.
    func update(_ tensors: [ParameterLayout.Tensor], _ update: ParameterUpdate)
}

/// What a rule works on in one update. Pointers are to flat buffers in the order of the layout, valid during the call.
package struct ParameterUpdate {
    /// The number of the update, counted from 1.
    package let number: Int
    package let learningRate: Double
    /// Multiplies each gradient first: clipping.
    package let gradientScale: Float
    package let parameters: UnsafeMutablePointer<Float>
    package let gradients: UnsafePointer<Float>
    /// In the order of the rule's `slots`.
    package let slots: [UnsafeMutablePointer<Float>]
    package let context: ComputeContext
}
