import CVectorKernels
import Compute

/// The forward pass of a generation: new tokens of some sequences, keys and values of the earlier ones from a cache.
///
/// What is in the cache was computed before later tokens were there, so a model without causal mask sees here what it would
/// see of a text that is still being written.
///
/// Few rows (a token of each sequence) pass through `FewRows`, many (a prompt) through matrix products of full height, and
/// of many only the last goes through the last layer's MLP and the head, since only its logits are wanted.
final class GenerationPass {
    private let model: GPT
    let cache: KeyValueCache
    private var rowCapacity = 0
    private var workspace = FloatBuffer(count: 0)
    private let workerScratch: FloatBuffer
    private let logitsMemory: FloatBuffer

    /// New tokens of one sequence whose attention is one task.
    private static let queryBlock = 64
    private static let rowTile = 128
    private static let columnTile = 256

    init(model: GPT, cache: KeyValueCache) {
        self.model = model
        self.cache = cache
        logitsMemory = FloatBuffer(count: cache.sequences * model.configuration.vocabularySize)
        workerScratch = FloatBuffer(count: model.pool.threadCount * Self.scratchCount(capacity: cache.capacity))
    }

    /// The logits (sequences, V) that follow each sequence's last token, valid until the next `run`.
    var logits: MatrixView {
        logitsMemory.matrix(rows: cache.sequences, columns: model.configuration.vocabularySize)
    }

    private static func scratchCount(capacity: Int) -> Int {
        queryBlock * (capacity + 1)
    }

    /// Passes new tokens at positions from `position`: any number of one sequence, or one of each of several. Returns these
    /// sequences' rows of `logits`.
    func run(_ tokens: [Int32], sequences: Range<Int>, position: Int) -> MatrixView {
        let length = tokens.count / sequences.count
        precondition(length * sequences.count == tokens.count && length >= 1 && (length == 1 || sequences.count == 1))
        precondition(sequences.upperBound <= cache.sequences && position + length <= cache.capacity)
        let step = Step(sequences: sequences, position: position, length: length)
        var state = state(rows: tokens.count)
        tokens.withUnsafeBufferPointer { ids in
            model.embedding.forward(
                ids.baseAddress!,
                firstRow: 0,
                length: length,
                firstPosition: position,
                into: state.x,
                mask: nil
            )
        }
        for block in model.blocks {
            let isPre = block.normPosition == .pre
            if isPre { normalize(state, block.ln1) }
            multiply(isPre ? state.normalized : state.x, block.attention.attention, into: state.qkv)
            attend(block, step, state)
            if block.layer == model.blocks.count - 1, length > 1 { state = state.rows(length - 1..<length) }
            multiply(state.attended, block.attention.projection, into: state.output)
            normalize(
                state,
                isPre ? block.ln2 : block.ln1,
                adding: state.output,
                keepsInput: block.keepsInput.attention
            )
            if !isPre { copy(state.normalized, to: state.x) }
            multiply(state.normalized, block.mlp.fullyConnected, into: state.hidden) { part in
                for row in 0..<part.rows {
                    let row = part.rows(row..<row + 1)
                    block.mlp.activate(row, into: row)
                }
            }
            multiply(state.hidden, block.mlp.projection, into: state.output)
            add(state.output, to: state.x, keepsInput: block.keepsInput.mlp)
            if !isPre {
                normalize(state, block.ln2)
                copy(state.normalized, to: state.x)
            }
        }
        normalize(state, model.finalLayerNorm)
        let result = logits.rows(sequences)
        head(state.normalized, into: result)
        return result
    }

    // MARK: Parts

    private struct Step {
        let sequences: Range<Int>
        /// Of the first new token.
        let position: Int
        /// New tokens of each sequence.
        let length: Int

        var total: Int { position + length }
    }

    /// What passes through the layers, one row a token.
    private struct State {
        let x, normalized, attended, output: MatrixView  // (rows, C)
        let qkv: MatrixView  // (rows, 3C)
        let hidden: MatrixView  // (rows, 4C)
        let statistics: LayerNorm.Statistics

        func rows(_ range: Range<Int>) -> State {
            State(
                x: x.rows(range),
                normalized: normalized.rows(range),
                attended: attended.rows(range),
                output: output.rows(range),
                qkv: qkv.rows(range),
                hidden: hidden.rows(range),
                statistics: statistics.from(row: range.lowerBound)
            )
        }
    }

    /// `x += addition`, or `x = addition` where there is no residual connection, then `normalized = layerNorm(x)`.
    private func normalize(
        _ state: State,
        _ layerNorm: LayerNorm,
        adding addition: MatrixView? = nil,
        keepsInput: Bool = true
    ) {
        let rowTiles = tiles(of: state.x.rows, size: 32)
        model.pool.run(rowTiles.count) { task, _ in
            let rows = rowTiles[task]
            if let addition { Self.add(addition.rows(rows), to: state.x.rows(rows), keepsInput: keepsInput) }
            layerNorm.forward(
                state.x.rows(rows),
                into: state.normalized.rows(rows),
                state.statistics.from(row: rows.lowerBound)
            )
        }
    }

    private func add(_ y: MatrixView, to x: MatrixView, keepsInput: Bool) {
        let rowTiles = tiles(of: x.rows, size: 32)
        model.pool.run(rowTiles.count) { task, _ in
            Self.add(y.rows(rowTiles[task]), to: x.rows(rowTiles[task]), keepsInput: keepsInput)
        }
    }

    private func copy(_ y: MatrixView, to x: MatrixView) {
        x.base.update(from: y.base, count: x.rows * x.columns)
    }

    private static func add(_ y: MatrixView, to x: MatrixView, keepsInput: Bool) {
        guard keepsInput else { return x.base.update(from: y.base, count: x.rows * x.columns) }
        Kernels.table.residual_forward(x.base, x.base, y.base, nil, x.rows, x.columns, nil, 0, 1)
    }

    /// y = then(x W + b), `then` applied to each task's part of y.
    private func multiply(
        _ x: MatrixView,
        _ linear: Linear,
        into y: MatrixView,
        then: (MatrixView) -> Void = { _ in }
    ) {
        let weight = linear.weight
        guard x.rows > FewRows.most else {
            let pieces = FewRows.pieces(of: y.columns, model.pool.threadCount, bytesEach: 4 * weight.rows)
            model.pool.run(pieces.count) { task, _ in
                let columns = pieces[task]
                let part = y.columns(columns)
                let bias = linear.bias.map { UnsafePointer($0 + columns.lowerBound) }
                FewRows.multiply(x, weight.columns(columns), bias: bias, into: part)
                then(part)
            }
            return
        }
        let rowTiles = tiles(of: x.rows, size: Self.rowTile)
        let columnTiles = tiles(of: y.columns, size: Self.columnTile)
        model.pool.run(rowTiles.count * columnTiles.count) { task, _ in
            let rows = rowTiles[task % rowTiles.count]
            let columns = columnTiles[task / rowTiles.count]
            let part = y.rows(rows).columns(columns)
            MatrixProduct.multiply(x.rows(rows), .plain, weight.columns(columns), .plain, into: part)
            if let bias = linear.bias {
                for row in 0..<part.rows {
                    Kernels.table.add_bias(part.base + row * part.stride, bias + columns.lowerBound, 1, part.columns)
                }
            }
            then(part)
        }
    }

    /// Stores the new keys and values, then lets each head of the new rows attend to all positions up to its own.
    private func attend(_ block: TransformerBlock, _ step: Step, _ state: State) {
        block.rotary?.turn(state.qkv, firstRow: 0, length: step.length, firstPosition: step.position)
        let layer = block.layer
        let headCount = model.configuration.headCount
        let queries = tiles(of: step.length, size: Self.queryBlock)
        let heads = step.sequences.count * headCount
        if queries.count > 1 {
            model.pool.run(heads) { task, _ in store(layer, task % headCount, step, task / headCount, state) }
        }
        // The longest first: later queries see more.
        model.pool.run(queries.count * heads) { task, worker in
            let (head, sequence) = (task % heads % headCount, task % heads / headCount)
            if queries.count == 1 { store(layer, head, step, sequence, state) }
            let scratch = workerScratch.base + worker * Self.scratchCount(capacity: cache.capacity)
            attend(block, head, step, sequence, queries[queries.count - 1 - task / heads], state, scratch)
        }
    }

    private func store(_ layer: Int, _ head: Int, _ step: Step, _ sequence: Int, _ state: State) {
        let (width, size) = (model.configuration.embeddingSize, model.configuration.headSize)
        let keys = cache.keys(layer: layer, sequence: step.sequences.lowerBound + sequence, head: head)
        let values = cache.values(layer: layer, sequence: step.sequences.lowerBound + sequence, head: head)
        for row in 0..<step.length {
            let source = state.qkv.base + (sequence * step.length + row) * state.qkv.stride + head * size
            let target = (step.position + row) * size
            (keys.base + target).update(from: source + width, count: size)
            (values.base + target).update(from: source + 2 * width, count: size)
        }
    }

    /// The outputs of one head for the new tokens `queries` of one sequence.
    private func attend(
        _ block: TransformerBlock,
        _ head: Int,
        _ step: Step,
        _ sequence: Int,
        _ queries: Range<Int>,
        _ state: State,
        _ scratch: UnsafeMutablePointer<Float>
    ) {
        let (layer, pattern) = (block.layer, block.attention.pattern)
        let size = model.configuration.headSize
        let rows = sequence * step.length + queries.lowerBound..<sequence * step.length + queries.upperBound
        let columns = head * size..<(head + 1) * size
        let seen = step.position + queries.upperBound
        let keys = cache.keys(layer: layer, sequence: step.sequences.lowerBound + sequence, head: head)
        let values = cache.values(layer: layer, sequence: step.sequences.lowerBound + sequence, head: head)
        let q = state.qkv.rows(rows).columns(columns)
        let y = state.attended.rows(rows).columns(columns)
        let scores = MatrixView(scratch, rows: rows.count, columns: seen)
        let scale = pattern.scale(headSize: size)
        let isFew = rows.count <= FewRows.most
        if isFew {
            FewRows.multiplyTransposed(q, keys.rows(0..<seen), into: scores, scale: scale)
        } else {
            MatrixProduct.multiply(q, .plain, keys.rows(0..<seen), .transposed, into: scores, scale: scale)
        }
        let place = AttentionPattern.Place(
            head: head,
            query: step.position + queries.lowerBound,
            firstWeights: 0,
            weightsLength: seen
        )
        pattern.softmax(scores, logSumExp: scratch + rows.count * seen, at: place, mask: nil)
        if block.attention.ablatedHeads.contains(head) {
            for row in 0..<y.rows { (y.base + row * y.stride).update(repeating: 0, count: y.columns) }
        } else if isFew {
            FewRows.multiply(scores, values.rows(0..<seen), into: y)
        } else {
            MatrixProduct.multiply(scores, .plain, values.rows(0..<seen), .plain, into: y)
        }
    }

    /// logits (rows, V) = x wteᵀ
    private func head(_ x: MatrixView, into logits: MatrixView) {
        let weight = model.head.weight
        let pieces = FewRows.pieces(of: weight.rows, 4 * model.pool.threadCount, bytesEach: 4 * weight.columns)
        model.pool.run(pieces.count) { task, _ in
            FewRows.multiplyTransposed(x, weight.rows(pieces[task]), into: logits.columns(pieces[task]))
        }
    }

    private func state(rows: Int) -> State {
        let width = model.configuration.embeddingSize
        if rows > rowCapacity {
            workspace = FloatBuffer(count: rows * (11 * width + 2))
            rowCapacity = rows
        }
        var offset = 0
        func matrix(_ widths: Int) -> MatrixView {
            defer { offset += rows * widths * width }
            return MatrixView(workspace.base + offset, rows: rows, columns: widths * width)
        }
        let (x, normalized, attended, output) = (matrix(1), matrix(1), matrix(1), matrix(1))
        let (qkv, hidden) = (matrix(3), matrix(4))
        let statistics = LayerNorm.Statistics(mean: workspace.base + offset, rstd: workspace.base + offset + rows)
        return State(
            x: x,
            normalized: normalized,
            attended: attended,
            output: output,
            qkv: qkv,
            hidden: hidden,
            statistics: statistics
        )
    }
}
