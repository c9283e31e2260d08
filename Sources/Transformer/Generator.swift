import CVectorKernels
import Compute

/// Generates text with a model, one token at a time, from cached keys and values.
///
/// ```
/// let generator = Generator(model: gpt)
/// generator.generate(prompt: ids, options: SamplingOptions(allowedVocabulary: 65)) { token in print(token); return true }
/// ```
/// The prompt passes in one go. When the block size is reached, the window starts anew with its last half: nanoGPT would
/// recompute the whole window for every further token.
public final class Generator {
    private let model: GPT
    private let cache: KeyValueCache
    private var rowCapacity = 0
    private var workspace = FloatBuffer(count: 0)
    private let logits: FloatBuffer

    public init(model: GPT) {
        self.model = model
        cache = KeyValueCache(configuration: model.configuration)
        logits = FloatBuffer(count: model.configuration.vocabularySize)
    }

    /// Draws up to `options.maxNewTokens` tokens after `prompt` and hands each to `onToken`, which may return false to stop.
    ///
    /// - Parameters:
    ///   - prompt: at least one id; of a prompt longer than the block size only the end is seen.
    ///   - sample: which of several samples with the same options this is.
    public func generate(
        prompt: [Int32],
        options: SamplingOptions,
        sample: Int = 0,
        onToken: (Int32) -> Bool
    ) {
        precondition(!prompt.isEmpty, "a prompt of no token")
        let sampler = TokenSampler(options: options, sample: sample)
        let blockSize = model.configuration.blockSize
        var window = Array(prompt.suffix(blockSize))
        cache.clear()
        var fresh = window
        for index in 0..<options.maxNewTokens {
            if cache.length + fresh.count > blockSize {
                window = Array(window.suffix(max(1, blockSize / 2)))
                fresh = window
                cache.clear()
            }
            let token = sampler.draw(append(fresh), index: index)
            if token == options.stopToken || !onToken(token) { return }
            window.append(token)
            fresh = [token]
        }
    }

    /// Forgets everything seen so far.
    public func reset() { cache.clear() }

    /// Passes `tokens` after those seen so far and returns the logits (V) that follow the last, valid until the next call.
    /// The total must not exceed the block size.
    public func append(_ tokens: [Int32]) -> UnsafeBufferPointer<Float> {
        let configuration = model.configuration
        precondition(cache.length + tokens.count <= configuration.blockSize, "more tokens than the block size")
        reserve(rows: tokens.count)
        let width = configuration.embeddingSize
        var offset = 0
        func matrix(_ widths: Int) -> MatrixView {
            defer { offset += tokens.count * widths * width }
            return MatrixView(workspace.base + offset, rows: tokens.count, columns: widths * width)
        }
        let (x, normalized, qkv, attended, hidden, output) = (
            matrix(1), matrix(1), matrix(3), matrix(1), matrix(4), matrix(1)
        )
        let statistics = LayerNorm.Statistics(
            mean: workspace.base + offset,
            rstd: workspace.base + offset + tokens.count
        )
        let attentionScratch = workspace.base + offset + 2 * tokens.count

        tokens.withUnsafeBufferPointer { ids in
            model.embedding.forward(
                ids.baseAddress!,
                firstRow: 0,
                length: tokens.count,
                firstPosition: cache.length,
                into: x,
                mask: nil
            )
        }
        for (layer, block) in model.blocks.enumerated() {
            block.ln1.forward(x, into: normalized, statistics)
            multiply(normalized, block.attention.attention, into: qkv)
            attend(layer, qkv, into: attended, scratch: attentionScratch)
            multiply(attended, block.attention.projection, into: output)
            add(output, to: x)
            block.ln2.forward(x, into: normalized, statistics)
            multiply(normalized, block.mlp.fullyConnected, into: hidden)
            block.mlp.activate(hidden, into: hidden)
            multiply(hidden, block.mlp.projection, into: output)
            add(output, to: x)
        }
        cache.advance(by: tokens.count)
        let last = x.rows(tokens.count - 1..<tokens.count)
        model.finalLayerNorm.forward(last, into: normalized.rows(0..<1), statistics)
        let all = MatrixView(logits.base, rows: 1, columns: configuration.vocabularySize)
        let vocabularyTiles = tiles(of: configuration.vocabularySize, size: 4096)
        model.pool.run(vocabularyTiles.count) { task, _ in
            let columns = vocabularyTiles[task]
            MatrixProduct.multiply(
                normalized.rows(0..<1),
                .plain,
                model.head.weight.rows(columns),
                .transposed,
                into: all.columns(columns)
            )
        }
        return UnsafeBufferPointer(start: logits.base, count: configuration.vocabularySize)
    }

    /// y = x W + b, tiles of W's columns shared among workers: there are few rows, so W's bytes are the cost.
    private func multiply(_ x: MatrixView, _ linear: Linear, into y: MatrixView) {
        let columnTiles = tiles(of: y.columns, size: 256)
        model.pool.run(columnTiles.count) { task, _ in
            let columns = columnTiles[task]
            MatrixProduct.multiply(
                x,
                .plain,
                linear.weight.columns(columns),
                .plain,
                into: y.columns(columns)
            )
        }
        if let bias = linear.bias { Kernels.table.add_bias(y.base, bias, y.rows, y.columns) }
    }

    private func add(_ y: MatrixView, to x: MatrixView) {
        Kernels.table.residual_forward(x.base, x.base, y.base, nil, x.rows, x.columns, nil, 0, 1)
    }

    /// Stores the new keys and values, then lets each head of the new rows attend to all positions up to its own.
    private func attend(_ layer: Int, _ qkv: MatrixView, into y: MatrixView, scratch: UnsafeMutablePointer<Float>) {
        let configuration = model.configuration
        let width = configuration.embeddingSize
        let size = configuration.headSize
        let seen = cache.length
        let total = seen + qkv.rows
        let (keys, values) = (cache.keys(layer: layer), cache.values(layer: layer))
        for row in 0..<qkv.rows {
            let source = qkv.base + row * qkv.stride
            (keys.base + (seen + row) * width).update(from: source + width, count: width)
            (values.base + (seen + row) * width).update(from: source + 2 * width, count: width)
        }
        let perHead = qkv.rows * total + qkv.rows
        model.pool.run(configuration.headCount) { head, _ in
            let columns = head * size..<(head + 1) * size
            let scores = MatrixView(scratch + head * perHead, rows: qkv.rows, columns: total)
            MatrixProduct.multiply(
                qkv.columns(columns),
                .plain,
                keys.rows(0..<total).columns(columns),
                .transposed,
                into: scores,
                scale: 1 / Float(size).squareRoot()
            )
            Kernels.table.causal_softmax(
                scores.base,
                scores.base + qkv.rows * total,
                qkv.rows,
                seen + 1,
                total,
                total,
                nil,
                0,
                total
            )
            MatrixProduct.multiply(
                scores,
                .plain,
                values.rows(0..<total).columns(columns),
                .plain,
                into: y.columns(columns)
            )
        }
    }

    private func reserve(rows: Int) {
        guard rows > rowCapacity else { return }
        let configuration = model.configuration
        let perRow = 11 * configuration.embeddingSize + 2 + configuration.headCount * (configuration.blockSize + 1)
        workspace = FloatBuffer(count: rows * perRow)
        rowCapacity = rows
    }
}
