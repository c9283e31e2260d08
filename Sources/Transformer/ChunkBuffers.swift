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
            hidden: hidden.rows(0..<rows)
        )
    }
}

/// Where the weights of one layer are packed for the products of a phase: memory shared by all layers and both passes.
struct PackedWeights {
    let attention: UnsafeMutablePointer<Float>
    let projection: UnsafeMutablePointer<Float>
    let fullyConnected: UnsafeMutablePointer<Float>
    let mlpProjection: UnsafeMutablePointer<Float>
}

/// Scratch of the forward pass for one tile of rows: each worker has its own, which stays in its core's cache.
struct ForwardScratch {
    let weights: PackedWeights
    let normalized: MatrixView  // (tile, C)
    let activated: MatrixView  // (tile, 4C)
    let output: MatrixView  // (tile, C)

    func first(_ rows: Int) -> ForwardScratch {
        ForwardScratch(
            weights: weights,
            normalized: normalized.rows(0..<rows),
            activated: activated.rows(0..<rows),
            output: output.rows(0..<rows)
        )
    }
}

/// Scratch of the backward pass, shared by all layers. The gradient of q, k and v exists twice: a layer's is still read
/// for the gradient of its weights while the layer below writes its own.
struct BackwardScratch {
    let weights: PackedWeights
    let dOutput: MatrixView  // (R, C)
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
            weights: weights,
            dOutput: part(dOutput),
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
    let rows: Int
    let length: Int
    let keepsForBackward: Bool
    let blocks: [BlockState]
    let finalInput: MatrixView  // (R, C)
    let finalStatistics: LayerNorm.Statistics
    let finalNormalized: MatrixView  // (R, C)
    let weights: PackedWeights
    let forwardScratch: [ForwardScratch]  // one a worker
    let backwardScratch: BackwardScratch?
    let headScratch: UnsafeMutablePointer<Float>
    let attentionScratch: [UnsafeMutablePointer<Float>]  // one a worker
    private let memory: FloatBuffer

    /// - Parameter keepsForBackward: without it all layers share one block's memory.
    init(configuration: GPTConfiguration, rows: Int, length: Int, workers: Int, keepsForBackward: Bool) {
        let plan = Self.plan(configuration, rows, length, workers, keepsForBackward)
        memory = FloatBuffer(count: plan.count)
        var carver = Carver(base: memory.base, rows: rows, width: configuration.embeddingSize)
        let parts = Self.carve(&carver, configuration, length, workers, keepsForBackward)
        self.rows = rows
        self.length = length
        self.keepsForBackward = keepsForBackward
        blocks = parts.blocks
        finalInput = parts.finalInput
        finalStatistics = parts.finalStatistics
        finalNormalized = parts.finalNormalized
        weights = parts.weights
        forwardScratch = parts.forwardScratch
        backwardScratch = parts.backwardScratch
        headScratch = parts.headScratch
        attentionScratch = parts.attentionScratch
    }

    /// Floats that `init` would allocate.
    static func count(
        configuration: GPTConfiguration,
        rows: Int,
        length: Int,
        workers: Int,
        keepsForBackward: Bool
    ) -> Int {
        plan(configuration, rows, length, workers, keepsForBackward).count
    }

    private static func plan(
        _ configuration: GPTConfiguration,
        _ rows: Int,
        _ length: Int,
        _ workers: Int,
        _ keepsForBackward: Bool
    ) -> Carver {
        var carver = Carver(base: nil, rows: rows, width: configuration.embeddingSize)
        _ = carve(&carver, configuration, length, workers, keepsForBackward)
        return carver
    }

    private typealias Parts = (
        blocks: [BlockState], finalInput: MatrixView, finalStatistics: LayerNorm.Statistics,
        finalNormalized: MatrixView, weights: PackedWeights, forwardScratch: [ForwardScratch],
        backwardScratch: BackwardScratch?,
        headScratch: UnsafeMutablePointer<Float>, attentionScratch: [UnsafeMutablePointer<Float>]
    )

    private static func carve(
        _ carver: inout Carver,
        _ configuration: GPTConfiguration,
        _ length: Int,
        _ workers: Int,
        _ keepsForBackward: Bool
    ) -> Parts {
        let rows = carver.rows
        func block(_ carver: inout Carver) -> BlockState {
            BlockState(
                input: carver.matrix(1),
                ln1: carver.statistics(),
                qkv: carver.matrix(3),
                logSumExp: carver.take(rows * configuration.headCount),
                attended: carver.matrix(1),
                middle: carver.matrix(1),
                ln2: carver.statistics(),
                hidden: carver.matrix(4)
            )
        }
        var blocks: [BlockState] = []
        for layer in 0..<configuration.layerCount {
            blocks.append(layer == 0 || keepsForBackward ? block(&carver) : blocks[0])
        }
        let finalInput = keepsForBackward ? carver.matrix(1) : blocks[0].input
        let finalStatistics = carver.statistics()
        let finalNormalized = carver.matrix(1)
        let width = configuration.embeddingSize
        func packed(_ rows: Int, _ columns: Int) -> UnsafeMutablePointer<Float> {
            carver.take(Linear.packedCount(rows: rows, columns: columns))
        }
        let weights = PackedWeights(
            attention: packed(width, 3 * width),
            projection: packed(width, width),
            fullyConnected: packed(width, 4 * width),
            mlpProjection: packed(4 * width, width)
        )
        let tile = largestRowTile(of: rows, workers: workers)
        let forwardScratch = (0..<workers).map { _ in
            ForwardScratch(
                weights: weights,
                normalized: carver.matrix(1, rows: tile),
                activated: carver.matrix(4, rows: tile),
                output: carver.matrix(1, rows: tile)
            )
        }
        var backwardScratch: BackwardScratch?
        if keepsForBackward {
            backwardScratch = BackwardScratch(
                weights: weights,
                dOutput: carver.matrix(1),
                dMaskedMLP: carver.matrix(1),
                activated: carver.matrix(4),
                dHidden: carver.matrix(4),
                normalized2: carver.matrix(1),
                dNormalized2: carver.matrix(1),
                dMiddle: carver.matrix(1),
                dMaskedAttention: carver.matrix(1),
                dAttended: carver.matrix(1),
                dQKVPair: (carver.matrix(3), carver.matrix(3)),
                normalized1: carver.matrix(1),
                dNormalized1: carver.matrix(1)
            )
        }
        let head = OutputHead.scratchCount(
            rows: rows,
            vocabularySize: configuration.vocabularySize,
            width: width,
            workers: workers
        )
        let headScratch = carver.take(head)
        let attention = CausalSelfAttention.scratchCount(sequenceLength: length, headSize: configuration.headSize)
        let attentionScratch = (0..<workers).map { _ in carver.take(attention) }
        return (
            blocks, finalInput, finalStatistics, finalNormalized, weights, forwardScratch, backwardScratch,
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
    }
}
