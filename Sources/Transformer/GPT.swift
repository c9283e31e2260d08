import Compute

/// A GPT with its parameters, and its forward and backward passes. `GPTConfiguration` says what it computes.
///
/// ```swift
/// let model = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: 4)))
/// model.initializeParameters(seed: 1)
/// model.zeroGradients()
/// let loss = model.forwardBackward(
///     tokens: tokens, targets: targets, sequenceLength: 64, gradientScale: 1 / Float(tokens.count), dropout: nil)
/// ```
/// A micro-batch passes through in chunks of a few sequences, gradients adding up, so that activations stay in cache and
/// memory does not grow with the batch. A chunk passes in phases, each cut into tasks. How many there are may follow the number of
/// workers, but no element's sum depends on what else its task computes: results have the same bits for any number of threads.
public final class GPT {
    /// The architecture.
    public let configuration: GPTConfiguration
    /// Where each tensor lies in `parameters` and `gradients`.
    public let layout: ParameterLayout
    /// Threads, kernels and the rules of matrix products.
    public let context: ComputeContext
    /// All parameters, in the order of `layout`.
    public let parameters: FloatBuffer
    /// Gradients in the order of `layout`, to which passes add; empty unless the model is for training.
    public let gradients: FloatBuffer

    let layers: GPTLayers
    let schedule: WeightSchedule
    /// The memory of the last pass, used again if it is large enough.
    var arena: Arena?

    /// The threads that compute all passes.
    public var pool: WorkerPool { context.pool }

    /// A model with all parameters zero; see `initializeParameters`.
    ///
    /// - Parameters:
    ///   - configuration: what it computes; `conflict` is nil.
    ///   - context: what it computes with.
    ///   - forTraining: whether to allocate gradients.
    public init(configuration: GPTConfiguration, context: ComputeContext, forTraining: Bool = true) {
        if let conflict = configuration.conflict { preconditionFailure(conflict.reason) }
        layers = GPTLayers(configuration)
        layers.blocks.first?.attention.function.rotary?.prepare()
        layout = ParameterLayout(layers)
        schedule = WeightSchedule(layers)
        parameters = FloatBuffer(count: layout.count)
        gradients = FloatBuffer(count: forTraining ? layout.count : 0)
        self.configuration = configuration
        self.context = context
    }

    /// Sets all gradients to zero. Call it before the first micro-batch of a step, as passes add to what is there.
    public func zeroGradients() {
        VectorOperations.clear(gradients.elements, pool: pool)
    }

    /// Sum over all tokens of `-log p(target)`, in nats; adds `gradientScale` times the gradient of that sum to `gradients`.
    ///
    /// - Parameters:
    ///   - tokens: (B, T), row by row; ids below the vocabulary size.
    ///   - targets: (B, T), the tokens that come next.
    ///   - sequenceLength: T, at most the block size.
    ///   - gradientScale: the weight of one token's loss: 1 over all tokens of the step for its mean.
    ///   - dropout: which masks to draw if the configuration drops anything; nil for none.
    ///   - boundaries: between documents, which attention then does not cross; nil where it sees the whole sequence.
    ///   - progress: called after each chunk with the number of its sequences.
    ///   - gradientFinished: called while the last chunk goes backward, with an index from which on nothing is added to
    ///     `gradients` any more: so they can be sent while the rest is computed. The last call is with 0.
    public func forwardBackward(
        tokens: [Int32],
        targets: [Int32],
        sequenceLength: Int,
        gradientScale: Float,
        dropout: DropoutKey?,
        boundaries: DocumentBoundaries? = nil,
        progress: (Int) -> Void = { _ in },
        gradientFinished: ((Int) -> Void)? = nil
    ) -> Double {
        precondition(gradients.count == layout.count, "a model without gradients has no backward pass")
        precondition(gradientScale != 0, "a gradient times 0")
        let batch = MicroBatch(tokens, targets, length: sequenceLength, dropout: dropout, boundaries: boundaries)
        return sumOverChunks(of: batch, for: .training) { pass, isLast in
            layers.forward(pass)
            let finished = isLast ? gradientFinished : nil
            let loss = layers.backward(pass, gradientScale: gradientScale, finished: finished)
            progress(pass.sequences)
            return loss
        }
    }

    /// Sum over all tokens of `-log p(target)`, in nats, without dropout. The parameters are those of `forwardBackward`.
    public func loss(
        tokens: [Int32],
        targets: [Int32],
        sequenceLength: Int,
        boundaries: DocumentBoundaries? = nil,
        progress: (Int) -> Void = { _ in }
    ) -> Double {
        let batch = MicroBatch(tokens, targets, length: sequenceLength, boundaries: boundaries)
        return sumOverChunks(of: batch, for: .evaluation) { pass, _ in
            layers.forward(pass)
            let loss = layers.head.loss(pass, layers.normalized)
            progress(pass.sequences)
            return loss
        }
    }
}
