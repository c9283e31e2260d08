import Compute

/// A GPT model: its parameters, its forward pass and its backward pass. `GPTConfiguration` describes the architecture.
///
/// ```swift
/// let model = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: 4)))
/// model.initializeParameters(seed: 1)
/// model.zeroGradients()
/// let loss = model.forwardBackward(
///     tokens: tokens, targets: targets, sequenceLength: 64, gradientScale: 1 / Float(tokens.count), dropout: nil)
/// ```
/// A micro-batch is processed in chunks of a few sequences, whose gradients are added. Activations therefore stay in
/// cache, and memory does not grow with the batch. A chunk is processed in phases that consist of tasks. The number of
/// tasks may depend on the number of workers, but the sum for one element never depends on what else its task computes:
/// results have the same bits for any number of threads.
public final class GPT {
    /// The architecture.
    public let configuration: GPTConfiguration
    /// The position of each tensor in `parameters` and `gradients`.
    public let layout: ParameterLayout
    /// The threads, kernels and matrix products that the model computes with.
    public let context: ComputeContext
    /// All parameters, in the order of `layout`.
    public let parameters: FloatBuffer
    /// The gradients, in the order of `layout`. Passes add to them. Empty unless the model was created for training.
    public let gradients: FloatBuffer

    let layers: GPTLayers
    let schedule: WeightSchedule
    /// The memory of the last pass, reused if it is large enough.
    var arena: Arena?

    /// The threads that compute all passes.
    public var pool: WorkerPool { context.pool }

    /// Creates a model whose parameters are all zero; see `initializeParameters`.
    ///
    /// - Parameters:
    ///   - configuration: the architecture; its `conflict` must be nil.
    ///   - context: the threads, kernels and products to compute with.
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

    /// Sets all gradients to zero. Call this before the first micro-batch of a step, because passes add to the
    /// gradients.
    public func zeroGradients() {
        VectorOperations.clear(gradients.elements, pool: pool)
    }

    /// Returns the sum over all tokens of `-log p(target)`, in nats. Adds `gradientScale` times the gradient of this
    /// sum to `gradients`.
    ///
    /// - Parameters:
    ///   - tokens: (B, T), row by row; ids below the vocabulary size.
    ///   - targets: (B, T), the next token of each token.
    ///   - sequenceLength: T, at most the block size.
    ///   - gradientScale: the weight of one token's loss. Pass 1 over the number of tokens in the step for the mean
    ///     loss.
    ///   - dropout: the key of the dropout masks; nil for no dropout.
    ///   - boundaries: the document boundaries that attention does not cross; nil for attention over the whole
    ///     sequence.
    ///   - progress: called after each chunk with its number of sequences.
    ///   - gradientFinished: called during the backward pass of the last chunk with an index. From this index on,
    ///     `gradients` is final and can be sent to other ranks. The last call passes 0.
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
        precondition(
            gradients.count == layout.count,
            "the model was created without gradients, so it has no backward pass"
        )
        precondition(gradientScale != 0, "gradientScale must not be 0")
        let batch = MicroBatch(tokens, targets, length: sequenceLength, dropout: dropout, boundaries: boundaries)
        return sumOverChunks(of: batch, for: .training) { pass, isLast in
            layers.forward(pass)
            let finished = isLast ? gradientFinished : nil
            let loss = layers.backward(pass, gradientScale: gradientScale, finished: finished)
            progress(pass.sequences)
            return loss
        }
    }

    /// Returns the sum over all tokens of `-log p(target)`, in nats, without dropout. `forwardBackward` describes the
    /// parameters.
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
