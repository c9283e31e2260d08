import Compute

/// Identifies the dropout masks of a micro-batch: a function of the seed, the step and the sequence's number in the step.
public struct DropoutKey: Sendable {
    public var seed: UInt64
    public var step: Int
    /// The number of the micro-batch's first sequence within the step, counted over all micro-batches and ranks.
    public var firstSequence: Int

    public init(seed: UInt64, step: Int, firstSequence: Int) {
        self.seed = seed
        self.step = step
        self.firstSequence = firstSequence
    }
}

/// A GPT-2 with its parameters, and its forward and backward passes.
public final class GPT {
    public let configuration: GPTConfiguration
    public let layout: ParameterLayout
    public let pool: WorkerPool
    /// All parameters, in the order of `layout`.
    public let parameters: FloatBuffer
    /// Gradients in the order of `layout`; passes add to them.
    public let gradients: FloatBuffer

    public init(configuration: GPTConfiguration, pool: WorkerPool) {
        self.configuration = configuration
        self.pool = pool
        layout = ParameterLayout(configuration)
        parameters = FloatBuffer(count: layout.count)
        gradients = FloatBuffer(count: layout.count)
    }

    /// nanoGPT's initialization, a function of the seed alone.
    public func initializeParameters(seed: UInt64) {}

    public func zeroGradients() {}

    /// Sum over all tokens of `-log p(target)`, in nats; adds `gradientScale` times the gradient of that sum to `gradients`.
    /// tokens, targets: (B, T), row by row; any T up to the block size.
    public func forwardBackward(
        tokens: [Int32],
        targets: [Int32],
        sequenceLength: Int,
        gradientScale: Float,
        dropout: DropoutKey?
    ) -> Double { 0 }

    /// Sum over all tokens of `-log p(target)`, in nats, without dropout.
    public func loss(tokens: [Int32], targets: [Int32], sequenceLength: Int) -> Double { 0 }
}
