import CVectorKernels
import Compute

/// A GPT-2 (Radford et al., 2019) with its parameters, and its forward and backward passes.
///
/// ```
/// x = dropout(wte[tokens] + wpe)                (B, T, C)
/// for each block: x += attention(ln_1(x)); x += mlp(ln_2(x))
/// logits = ln_f(x) wteᵀ                         (B, T, V)
/// ```
/// `GPTConfiguration.variants` changes parts of it for experiments.
///
/// A micro-batch passes through in chunks of a few sequences, gradients adding up, so that activations stay in cache and
/// memory does not grow with the batch. A chunk passes in phases, each cut into tasks. How many there are may follow the number of
/// workers, but no element's sum depends on what else its task computes: results have the same bits for any number of threads.
public final class GPT {
    /// The shape that it was made with.
    public let configuration: GPTConfiguration
    /// Where each tensor lies in `parameters` and `gradients`.
    public let layout: ParameterLayout
    /// Its threads compute all passes.
    public let pool: WorkerPool
    /// All parameters, in the order of `layout`.
    public let parameters: FloatBuffer
    /// Gradients in the order of `layout`, to which passes add; empty unless the model is for training.
    public let gradients: FloatBuffer

    let embedding: Embedding
    let blocks: [TransformerBlock]
    let finalLayerNorm: LayerNorm
    let head: OutputHead
    private(set) var buffers: ChunkBuffers?

    /// A model with all parameters zero; see `initializeParameters`.
    ///
    /// - Parameters:
    ///   - configuration: the shape.
    ///   - pool: its threads compute all passes.
    ///   - forTraining: whether memory for gradients is wanted.
    public init(configuration: GPTConfiguration, pool: WorkerPool, forTraining: Bool = true) {
        let layout = ParameterLayout(configuration)
        let parameters = FloatBuffer(count: layout.count)
        let gradients = FloatBuffer(count: forTraining ? layout.count : 0)
        let layers = LayerBuilder(
            configuration: configuration,
            layout: layout,
            parameters: parameters.base,
            gradients: forTraining ? gradients.base : nil,
            rotary: configuration.variants.positions == .rotary
                ? RotaryEmbedding(blockSize: configuration.blockSize, headSize: configuration.headSize) : nil
        )
        embedding = layers.embedding()
        blocks = (0..<configuration.layerCount).map(layers.block)
        finalLayerNorm = layers.layerNorm(layout.finalLayerNorm)
        head = layers.head()
        self.configuration = configuration
        self.layout = layout
        self.pool = pool
        self.parameters = parameters
        self.gradients = gradients
    }

    /// To be called before the first micro-batch of a step, as passes add to what is there.
    public func zeroGradients() {
        VectorOperations.clear(gradients.elements, pool: pool)
    }

    /// Sum over all tokens of `-log p(target)`, in nats; adds `gradientScale` times the gradient of that sum to `gradients`.
    ///
    /// - Parameters:
    ///   - tokens: (B, T), row by row; ids below the vocabulary size.
    ///   - targets: (B, T), the tokens that come next.
    ///   - sequenceLength: T, at most the block size.
    ///   - gradientScale: what one token's loss counts, 1 over all tokens of the step for its mean.
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
        let batch = tokens.count / sequenceLength
        return sumOverChunks(tokens, targets, sequenceLength, boundaries, training: true) { chunk in
            var key = dropout
            key?.firstSequence += chunk.firstSequence
            let dropout = Dropout(probability: configuration.dropout, key: key)
            forward(chunk, dropout)
            let isLast = chunk.firstSequence + chunk.sequences == batch
            let loss = backward(
                chunk,
                dropout,
                gradientScale: gradientScale,
                finished: isLast ? gradientFinished : nil
            )
            progress(chunk.sequences)
            return loss
        }
    }

    /// Sum over all tokens of `-log p(target)`, in nats, without dropout.
    public func loss(
        tokens: [Int32],
        targets: [Int32],
        sequenceLength: Int,
        boundaries: DocumentBoundaries? = nil,
        progress: (Int) -> Void = { _ in }
    ) -> Double {
        sumOverChunks(tokens, targets, sequenceLength, boundaries, training: false) { chunk in
            forward(chunk, nil)
            let normalized = chunk.buffers.finalNormalized.rows(0..<chunk.rows)
            let (loss, _) = head.loss(
                normalized,
                targets: chunk.targets,
                gradientScale: 0,
                dx: nil,
                scratch: chunk.buffers.headScratch,
                pool: pool
            )
            progress(chunk.sequences)
            return loss
        }
    }

    /// Logits (T, V) of one sequence, whole: for tests and for looking inside, not for training.
    public func logits(tokens: [Int32]) -> [Float] {
        var logits = [Float](repeating: 0, count: tokens.count * configuration.vocabularySize)
        inspect(
            tokens,
            atEnd: { chunk in
                let normalized = chunk.buffers.finalNormalized.rows(0..<tokens.count)
                logits.withUnsafeMutableBufferPointer { logits in
                    let whole = MatrixView(
                        logits.baseAddress!,
                        rows: tokens.count,
                        columns: configuration.vocabularySize
                    )
                    head.logits(normalized, into: whole)
                }
            }
        )
        return logits
    }

    /// Attention weights of one sequence: for each layer and head the matrix (T, T), row t over the positions it sees.
    public func attentionWeights(tokens: [Int32]) -> [[[Float]]] {
        var weights: [[[Float]]] = []
        inspect(
            tokens,
            afterAttention: { layer, chunk in
                let state = chunk.blocks[layer]
                let attention = self.blocks[layer].attention
                weights.append(
                    (0..<attention.headCount).map { head in
                        attention.weights(
                            CausalSelfAttention.Head(state.qkv, index: head, of: attention.headCount),
                            logSumExp: state.logSumExp + head * tokens.count
                        )
                    }
                )
            }
        )
        return weights
    }

    /// One forward pass over a single sequence, with a look at its state after each layer's attention and at the end.
    private func inspect(
        _ tokens: [Int32],
        afterAttention: (Int, Chunk) -> Void = { _, _ in },
        atEnd: (Chunk) -> Void = { _ in }
    ) {
        _ = sumOverChunks(tokens, tokens, tokens.count, nil, training: false) { chunk in
            forward(chunk, nil, afterAttention: afterAttention)
            atEnd(chunk)
            return 0
        }
    }

    // MARK: Chunks

    /// Some sequences of a micro-batch, in the buffers they pass through.
    struct Chunk {
        let buffers: ChunkBuffers
        let tokens: UnsafePointer<Int32>
        let targets: UnsafePointer<Int32>
        let firstSequence: Int
        let sequences: Int
        let length: Int
        /// Whether a backward pass follows.
        let training: Bool
        let blocks: [BlockState]
        /// Of each sequence, where attention keeps within them.
        let documents: [[Range<Int>]]?

        var rows: Int { sequences * length }
    }

    /// Rows of a chunk, unless one sequence has more: BLAS is near its peak on that many, and activations of a small
    /// model still fit the last-level cache.
    static let chunkRows = 1024

    /// Sequences of `length` tokens that pass at once, of a micro-batch of `batch`: as many as make `chunkRows` rows, evenly.
    public static func chunkSequences(batch: Int, length: Int) -> Int {
        let most = max(1, chunkRows / length)
        let chunks = (batch + most - 1) / most
        return (batch + chunks - 1) / chunks
    }

    func sumOverChunks(
        _ tokens: [Int32],
        _ targets: [Int32],
        _ length: Int,
        _ boundaries: DocumentBoundaries?,
        training: Bool,
        _ body: (Chunk) -> Double
    ) -> Double {
        precondition(length >= 1 && length <= configuration.blockSize, "sequences of \(length) tokens")
        precondition(tokens.count == targets.count && tokens.count % length == 0, "whole sequences")
        let batch = tokens.count / length
        guard batch > 0 else { return 0 }
        let sequences = Self.chunkSequences(batch: batch, length: length)
        let buffers = chunkBuffers(
            ChunkBuffers.Shape(
                configuration: configuration,
                batch: batch,
                length: length,
                workers: pool.threadCount,
                keepsForBackward: training
            )
        )
        packWeights(buffers, training: training)
        var sum = 0.0
        tokens.withUnsafeBufferPointer { tokens in
            targets.withUnsafeBufferPointer { targets in
                for range in tiles(of: batch, size: sequences) {
                    let offset = range.lowerBound * length
                    sum += body(
                        Chunk(
                            buffers: buffers,
                            tokens: tokens.baseAddress! + offset,
                            targets: targets.baseAddress! + offset,
                            firstSequence: range.lowerBound,
                            sequences: range.count,
                            length: length,
                            training: training,
                            blocks: buffers.blocks.map { $0.first(range.count * length) },
                            documents: boundaries.map { boundaries in
                                range.map {
                                    boundaries.documents(tokens.baseAddress! + $0 * length, length: length)
                                }
                            }
                        )
                    )
                }
            }
        }
        return sum
    }

    /// The buffers of the last pass if they serve, else new ones.
    private func chunkBuffers(_ shape: ChunkBuffers.Shape) -> ChunkBuffers {
        if let buffers, buffers.shape.serves(shape) { return buffers }
        buffers = nil
        let new = ChunkBuffers(shape)
        buffers = new
        return new
    }
}
