import Compute

/// What forward leaves of one block for its backward pass; R rows (tokens of the chunk).
struct BlockState {
    let input: MatrixView  // (R, C), the residual stream
    let ln1: LayerNorm.Statistics
    let qkv: MatrixView  // (R, 3C)
    let logSumExp: UnsafeMutablePointer<Float>  // (sequences, H, T)
    let attended: MatrixView  // (R, C), the heads' outputs
    let middle: MatrixView  // (R, C), the residual stream after attention
    let ln2: LayerNorm.Statistics
    let hidden: MatrixView  // (R, 4C), before the activation
    /// (R, C), the stream before a normalization at the block's end; unused where there is none.
    let outgoing: MatrixView
    let weights: PackedWeights  // as forward multiplies by them
    let transposedWeights: PackedWeights  // and backward

    /// The same memory with other weights.
    func with(_ weights: PackedWeights) -> BlockState {
        BlockState(
            input: input,
            ln1: ln1,
            qkv: qkv,
            logSumExp: logSumExp,
            attended: attended,
            middle: middle,
            ln2: ln2,
            hidden: hidden,
            outgoing: outgoing,
            weights: weights,
            transposedWeights: weights
        )
    }

    /// The first `rows` rows: a chunk smaller than the buffers.
    func first(_ rows: Int) -> BlockState {
        BlockState(
            input: input.rows(0..<rows),
            ln1: ln1,
            qkv: qkv.rows(0..<rows),
            logSumExp: logSumExp,
            attended: attended.rows(0..<rows),
            middle: middle.rows(0..<rows),
            ln2: ln2,
            hidden: hidden.rows(0..<rows),
            outgoing: outgoing.rows(0..<rows),
            weights: weights,
            transposedWeights: transposedWeights
        )
    }
}

/// Where the weights of one layer are packed. For a micro-batch of one chunk, and for large models, all layers and both passes
/// share the memory, and weights are packed shortly before they are used; else each has its own, packed once a micro-batch.
struct PackedWeights {
    let attention: UnsafeMutablePointer<Float>
    let projection: UnsafeMutablePointer<Float>
    let fullyConnected: UnsafeMutablePointer<Float>
    let mlpProjection: UnsafeMutablePointer<Float>
}

/// Scratch of the forward pass for one tile of rows: each worker has its own, which stays in its core's cache.
struct ForwardScratch {
    let normalized: MatrixView  // (tile, C)
    let activated: MatrixView  // (tile, 4C)
    let output: MatrixView  // (tile, C)

    func first(_ rows: Int) -> ForwardScratch {
        ForwardScratch(
            normalized: normalized.rows(0..<rows),
            activated: activated.rows(0..<rows),
            output: output.rows(0..<rows)
        )
    }
}

/// Scratch of the backward pass, shared by all layers. The gradient of q, k and v exists twice: a layer's is still read
/// for the gradient of its weights while the layer below writes its own.
struct BackwardScratch {
    let dOutput: MatrixView  // (R, C)
    /// (R, C), the gradient before a normalization at the block's end; dOutput itself where there is none.
    let dOutgoing: MatrixView
    let dMaskedMLP: MatrixView  // (R, C)
    let activated: MatrixView  // (R, 4C)
    let dHidden: MatrixView  // (R, 4C)
    let normalized2: MatrixView  // (R, C)
    let dNormalized2: MatrixView  // (R, C)
    let dMiddle: MatrixView  // (R, C)
    let dMaskedAttention: MatrixView  // (R, C)
    let dAttended: MatrixView  // (R, C)
    let dQKVPair: (MatrixView, MatrixView)  // (R, 3C)
    let normalized1: MatrixView  // (R, C)
    let dNormalized1: MatrixView  // (R, C), also the gradient of the final LayerNorm's output

    func dQKV(_ layer: Int) -> MatrixView { layer % 2 == 0 ? dQKVPair.0 : dQKVPair.1 }

    func first(_ rows: Int) -> BackwardScratch {
        func part(_ matrix: MatrixView) -> MatrixView { matrix.rows(0..<rows) }
        return BackwardScratch(
            dOutput: part(dOutput),
            dOutgoing: part(dOutgoing),
            dMaskedMLP: part(dMaskedMLP),
            activated: part(activated),
            dHidden: part(dHidden),
            normalized2: part(normalized2),
            dNormalized2: part(dNormalized2),
            dMiddle: part(dMiddle),
            dMaskedAttention: part(dMaskedAttention),
            dAttended: part(dAttended),
            dQKVPair: (part(dQKVPair.0), part(dQKVPair.1)),
            normalized1: part(normalized1),
            dNormalized1: part(dNormalized1)
        )
    }
}

/// The memory in which a chunk of sequences passes through the model.
final class ChunkBuffers {
    /// What decides how much memory there is.
    struct Shape {
        let configuration: GPTConfiguration
        /// Tokens of a chunk, a whole number of sequences.
        let rows: Int
        /// Tokens of a sequence.
        let length: Int
        let workers: Int
        /// Without it all layers share one block's memory.
        let keepsForBackward: Bool
        /// Whether each layer has memory for its packed weights.
        let keepsPacked: Bool

        /// Up to this many floats of packed weights are kept (128 MiB): 2 % of a step of `char`, which has 16 chunks.
        private static let mostPacked = 1 << 25

        /// - Parameter batch: sequences of a micro-batch, which pass in chunks.
        init(configuration: GPTConfiguration, batch: Int, length: Int, workers: Int, keepsForBackward: Bool) {
            let sequences = GPT.chunkSequences(batch: batch, length: length)
            let packed = 2 * 12 * configuration.layerCount * configuration.embeddingSize * configuration.embeddingSize
            self.configuration = configuration
            rows = sequences * length
            self.length = length
            self.workers = workers
            self.keepsForBackward = keepsForBackward
            keepsPacked = MatrixProduct.implementation == .own && sequences < batch && packed <= Self.mostPacked
        }

        /// Whether buffers of this shape serve for passes of the other one too.
        func serves(_ other: Shape) -> Bool {
            rows >= other.rows && length >= other.length && (keepsForBackward || !other.keepsForBackward)
                && (keepsPacked || !other.keepsPacked)
        }
    }

    let shape: Shape
    let blocks: [BlockState]
    let finalInput: MatrixView  // (R, C)
    let finalStatistics: LayerNorm.Statistics
    let finalNormalized: MatrixView  // (R, C)
    let forwardScratch: [ForwardScratch]  // one a worker
    let backwardScratch: BackwardScratch?
    let headScratch: UnsafeMutablePointer<Float>
    let attentionScratch: [UnsafeMutablePointer<Float>]  // one a worker
    let memory: FloatBuffer

    init(_ shape: Shape) {
        memory = FloatBuffer(count: Self.count(shape))
        var carver = Carver(base: memory.base, rows: shape.rows, width: shape.configuration.embeddingSize)
        let parts = Self.carve(&carver, shape)
        self.shape = shape
        blocks = parts.blocks
        finalInput = parts.finalInput
        finalStatistics = parts.finalStatistics
        finalNormalized = parts.finalNormalized
        forwardScratch = parts.forwardScratch
        backwardScratch = parts.backwardScratch
        headScratch = parts.headScratch
        attentionScratch = parts.attentionScratch
    }

    var keepsPacked: Bool { shape.keepsPacked }

    /// Floats that `init` would allocate.
    static func count(_ shape: Shape) -> Int {
        var carver = Carver(base: nil, rows: shape.rows, width: shape.configuration.embeddingSize)
        _ = carve(&carver, shape)
        return carver.count
    }

    private typealias Parts = (
        blocks: [BlockState], finalInput: MatrixView, finalStatistics: LayerNorm.Statistics,
        finalNormalized: MatrixView, forwardScratch: [ForwardScratch],
        backwardScratch: BackwardScratch?,
        headScratch: UnsafeMutablePointer<Float>, attentionScratch: [UnsafeMutablePointer<Float>]
    )

    private static func carve(_ carver: inout Carver, _ shape: Shape) -> Parts {
        let configuration = shape.configuration
        let (rows, width) = (shape.rows, configuration.embeddingSize)
        let (keepsForBackward, keepsPacked) = (shape.keepsForBackward, shape.keepsPacked)
        let normalizesOutput = configuration.variants.normPosition == .post
        let shared = keepsPacked ? nil : carver.packedWeights()
        var blocks: [BlockState] = []
        for layer in 0..<configuration.layerCount {
            let weights = shared ?? carver.packedWeights()
            if layer > 0, !keepsForBackward {
                blocks.append(blocks[0].with(weights))
            } else {
                blocks.append(
                    carver.block(
                        weights,
                        ownTransposedWeights: keepsPacked && keepsForBackward,
                        headCount: configuration.headCount,
                        normalizesOutput: normalizesOutput
                    )
                )
            }
        }
        let finalInput = keepsForBackward ? carver.matrix(1) : blocks[0].input
        let finalStatistics = carver.statistics()
        let finalNormalized = carver.matrix(1)
        let tile = largestRowTile(of: rows, workers: shape.workers)
        let forwardScratch = (0..<shape.workers).map { _ in carver.forwardScratch(rows: tile) }
        let backwardScratch = keepsForBackward ? carver.backwardScratch(normalizesOutput: normalizesOutput) : nil
        let head = OutputHead.scratchCount(
            rows: rows,
            vocabularySize: configuration.vocabularySize,
            width: width,
            workers: shape.workers
        )
        let headScratch = carver.take(head)
        let attention = CausalSelfAttention.scratchCount(
            sequenceLength: shape.length,
            headSize: configuration.headSize,
            pattern: AttentionPattern(configuration.variants, headCount: configuration.headCount)
        )
        let attentionScratch = (0..<shape.workers).map { _ in carver.take(attention) }
        return (
            blocks, finalInput, finalStatistics, finalNormalized, forwardScratch, backwardScratch,
            headScratch, attentionScratch
        )
    }

    /// Hands out aligned pieces of memory; without memory (`base` nil) it only counts.
    private struct Carver {
        let base: UnsafeMutablePointer<Float>?
        let rows: Int
        let width: Int
        private(set) var count = 0

        init(base: UnsafeMutablePointer<Float>?, rows: Int, width: Int) {
            self.base = base
            self.rows = rows
            self.width = width
        }

        mutating func take(_ elements: Int) -> UnsafeMutablePointer<Float> {
            defer { count += (elements + 15) / 16 * 16 }
            // Never dereferenced while only counting.
            guard let base else { return UnsafeMutablePointer(bitPattern: 64)! }
            return base + count
        }

        mutating func matrix(_ widths: Int, rows: Int? = nil) -> MatrixView {
            let rows = rows ?? self.rows
            return MatrixView(take(rows * widths * width), rows: rows, columns: widths * width)
        }

        mutating func statistics() -> LayerNorm.Statistics {
            LayerNorm.Statistics(mean: take(rows), rstd: take(rows))
        }

        mutating func packedWeights() -> PackedWeights {
            PackedWeights(
                attention: take(Linear.packedCount(rows: width, columns: 3 * width)),
                projection: take(Linear.packedCount(rows: width, columns: width)),
                fullyConnected: take(Linear.packedCount(rows: width, columns: 4 * width)),
                mlpProjection: take(Linear.packedCount(rows: 4 * width, columns: width))
            )
        }

        mutating func block(
            _ weights: PackedWeights,
            ownTransposedWeights: Bool,
            headCount: Int,
            normalizesOutput: Bool
        ) -> BlockState {
            let input = matrix(1)
            return BlockState(
                input: input,
                ln1: statistics(),
                qkv: matrix(3),
                logSumExp: take(rows * headCount),
                attended: matrix(1),
                middle: matrix(1),
                ln2: statistics(),
                hidden: matrix(4),
                outgoing: normalizesOutput ? matrix(1) : input,
                weights: weights,
                transposedWeights: ownTransposedWeights ? packedWeights() : weights
            )
        }

        mutating func forwardScratch(rows: Int) -> ForwardScratch {
            ForwardScratch(
                normalized: matrix(1, rows: rows),
                activated: matrix(4, rows: rows),
                output: matrix(1, rows: rows)
            )
        }

        mutating func backwardScratch(normalizesOutput: Bool) -> BackwardScratch {
            let dOutput = matrix(1)
            return BackwardScratch(
                dOutput: dOutput,
                dOutgoing: normalizesOutput ? matrix(1) : dOutput,
                dMaskedMLP: matrix(1),
                activated: matrix(4),
                dHidden: matrix(4),
                normalized2: matrix(1),
                dNormalized2: matrix(1),
                dMiddle: matrix(1),
                dMaskedAttention: matrix(1),
                dAttended: matrix(1),
                dQKVPair: (matrix(3), matrix(3)),
                normalized1: matrix(1),
                dNormalized1: matrix(1)
            )
        }
    }
}
