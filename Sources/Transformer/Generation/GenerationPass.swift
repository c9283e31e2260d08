import Compute

/// The forward pass of text generation. It processes new tokens of some sequences, with the keys and values of earlier
/// tokens from a cache. The layers are those of training; only the schedule and the source of the keys differ.
///
/// Cached keys and values were computed before later tokens existed. A model without a causal mask therefore sees only
/// the text up to each token.
///
/// A few rows (one token per sequence) use `FewRows`; many rows (a prompt) use full matrix products. For a prompt, only
/// the last row passes through the last layer's feed-forward sublayer and the head, because only its logits are needed.
final class GenerationPass {
    private let model: GPT
    let cache: KeyValueCache
    private var arena: Arena?
    private let scratch: FloatBuffer
    private let logitsMemory: FloatBuffer

    init(model: GPT, cache: KeyValueCache) {
        self.model = model
        self.cache = cache
        logitsMemory = FloatBuffer(count: cache.sequences * model.configuration.vocabularySize)
        scratch = FloatBuffer(
            count: model.pool.threadCount * CachedAttention.scratchCount(capacity: cache.capacity)
        )
    }

    /// The logits (sequences, V) after each sequence's last token; valid until the next `run`.
    var logits: MatrixView {
        logitsMemory.matrix(rows: cache.sequences, columns: model.configuration.vocabularySize)
    }

    /// Processes new tokens at positions from `position` on: any number of tokens of one sequence, or one token of each
    /// of several sequences. Returns the rows of `logits` of these sequences.
    func run(_ tokens: [Int32], sequences: Range<Int>, position: Int) -> MatrixView {
        let length = tokens.count / sequences.count
        precondition(length * sequences.count == tokens.count && length >= 1 && (length == 1 || sequences.count == 1))
        precondition(sequences.upperBound <= cache.sequences && position + length <= cache.capacity)
        model.checkIDs(tokens)
        let arena = arena(rows: tokens.count)
        let result = logits.rows(sequences)
        tokens.withUnsafeBufferPointer { tokens in
            let pass = Pass(
                model,
                arena,
                tokens: tokens.baseAddress!,
                targets: tokens.baseAddress!,
                sequences: sequences.count,
                length: length,
                firstPosition: position
            )
            let x = forward(pass, sequences)
            let weight = pass.matrix(model.layers.head.weight.parameter)
            model.context.multiplySharedTransposed(x, weight, into: result)
        }
        return result
    }

    /// Returns the normalized stream of each sequence's last token.
    private func forward(_ pass: Pass, _ sequences: Range<Int>) -> MatrixView {
        let layers = model.layers
        var rows = Rows(pass, 0..<pass.rows, isShared: true)
        layers.embedding.forward(rows, into: layers.blocks[0].attention.input)
        for (layer, block) in layers.blocks.enumerated() {
            let next = layer + 1 < layers.blocks.count ? layers.blocks[layer + 1] : nil
            let attention = block.attention.function
            block.attention.firstHalf(rows)
            CachedAttention(
                attention: attention,
                layer: layer,
                cache: cache,
                context: model.context,
                scratch: scratch.base
            ).run(pass, sequences: sequences)
            if next == nil, pass.length > 1 { rows = Rows(pass, pass.rows - 1..<pass.rows, isShared: true) }
            block.attention.secondHalf(rows, into: block.feedForward.input)
            block.feedForward.firstHalf(rows)
            block.feedForward.secondHalf(rows, into: next?.attention.input ?? layers.stream)
        }
        rows.share { layers.finalNorm.forward($0[layers.stream], into: $0[layers.normalized], $0) }
        return rows[layers.normalized]
    }

    /// Returns an arena for at least this number of rows.
    private func arena(rows: Int) -> Arena {
        if let arena, arena.shape.rows >= rows { return arena }
        arena = nil
        let shape = model.layers.arenaShape(
            sequences: 1,
            length: rows,
            workers: 1,
            model.context.products,
            for: .generation
        )
        let new = Arena(model.layers.declarations.slots, shape)
        arena = new
        return new
    }
}
