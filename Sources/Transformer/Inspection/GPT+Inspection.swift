import Compute

/// The activations of every layer for one sequence of T tokens.
public struct Activations: Sendable {
    /// The residual stream, (T, C) each: after the embedding, then after each block.
    public var residuals: [[Float]] = []
    /// The hidden units of each block's feed-forward sublayer before the activation function, (T, F), or (T, 2F) if it
    /// is gated.
    public var hidden: [[Float]] = []
    /// The hidden units after the activation function, (T, F).
    public var activated: [[Float]] = []
}

// Access to intermediate results.
extension GPT {
    /// Returns the logits (T, V) of one sequence, all at once. This is for tests and inspection, not for training.
    public func logits(tokens: [Int32]) -> [Float] {
        inspect(tokens) { pass in
            matrix(rows: tokens.count, columns: configuration.vocabularySize) {
                logits(pass[layers.normalized], into: $0, pass)
            }
        }
    }

    /// Computes logits (rows, V) = x Wᵀ for all of the vocabulary at once.
    private func logits(_ x: MatrixView, into logits: MatrixView, _ pass: Pass) {
        let weight = pass.matrix(layers.head.weight.parameter)
        context.products.multiply(x, .plain, weight, .transposed, into: logits, part: .headProducts)
    }

    /// Returns the attention weights of one sequence: a (T, T) matrix per layer and head, where row t has the weights
    /// of the positions that position t attends to.
    public func attentionWeights(tokens: [Int32]) -> [[[Float]]] {
        inspect(tokens) { pass in
            layers.blocks.map { block in
                let attention = block.attention.function
                return (0..<attention.shape.headCount).map { weights(attention, head: $0, pass) }
            }
        }
    }

    /// Returns the attention weights P of one head, (T, T), without dropout. Heads that an experiment removes have
    /// weights too.
    private func weights(_ attention: Attention, head index: Int, _ pass: Pass) -> [Float] {
        let mask = configuration.withAllHeads.attentionMask(layer: 0)
        let head = attention.view(pass[attention.qkv], head: index)
        let logSumExp = FloatBuffer(count: head.length)
        return matrix(rows: head.length, columns: head.length) { all in
            for rows in tiles(of: head.length, size: mask.queryBlockSize(head.length)) {
                let seen = 0..<mask.visibleKeyCount(rows, of: head.length)
                let p = all.rows(rows).columns(seen)
                let (q, k, scale) = (
                    head.q.rows(rows), head.k.rows(seen), mask.scale(headSize: attention.shape.headSize)
                )
                context.products.multiply(q, .plain, k, .transposed, into: p, scale: scale)
                mask.softmax(p, logSumExp: logSumExp.base + rows.lowerBound, head.place(rows), nil, context.kernels)
            }
        }
    }

    /// Returns the range from the first to the last position that row `row` of a sequence of `length` tokens attends
    /// to. Without an experiment these are all positions up to `row`.
    public func visiblePositions(row: Int, length: Int) -> Range<Int> {
        let seen = seenPositions(row, length)
        return seen[0]..<seen[seen.count - 1] + 1
    }

    /// Returns the number of positions that row `row` attends to.
    public func visibleCount(row: Int, length: Int) -> Int { seenPositions(row, length).count }

    private func seenPositions(_ row: Int, _ length: Int) -> [Int] {
        (0..<length).filter { configuration.ablations.canAttend(row, $0) }
    }

    /// Returns the activations of a forward pass over one sequence, without dropout.
    public func activations(tokens: [Int32]) -> Activations {
        inspect(tokens) { pass in
            var activations = Activations()
            for block in layers.blocks {
                activations.residuals.append(pass[block.attention.input].contents)
                let (feedForward, hidden) = (block.feedForward.function, pass[block.feedForward.function.hidden])
                let shape = feedForward.shape
                activations.hidden.append(hidden.contents)
                activations.activated.append(
                    matrix(rows: hidden.rows, columns: shape.hiddenSize) {
                        shape.activate(hidden, into: $0, context.kernels)
                    }
                )
            }
            activations.residuals.append(pass[layers.stream].contents)
            return activations
        }
    }

    /// Returns the logits (T, V) of a residual stream (T, C) from any layer: `ln_f(x) wteᵀ` (nostalgebraist,
    /// "interpreting GPT: the logit lens", 2020). For the stream after the last block, these are the model's logits.
    public func logits(residual: [Float]) -> [Float] {
        normalizing(residual, with: layers.finalNorm) { pass, normalized in
            matrix(rows: normalized.rows, columns: configuration.vocabularySize) {
                logits(normalized, into: $0, pass)
            }
        }
    }

    /// Returns the result of `body` for rows (T, C) after a norm.
    func normalizing<Result>(_ x: [Float], with norm: any Normalization, _ body: (Pass, MatrixView) -> Result) -> Result
    {
        let width = configuration.embeddingSize
        precondition(x.count % width == 0, "\(x.count) values are not a whole number of rows of \(width)")
        let rows = x.count / width
        let shape = layers.arenaShape(
            sequences: 1,
            length: rows,
            workers: 1,
            context.products,
            for: .generation
        )
        let arena = Arena(layers.declarations.slots, shape)
        let input = arena.matrix(layers.stream, 0..<rows)
        input.base.update(from: x, count: x.count)
        let tokens = [Int32](repeating: 0, count: rows)
        return tokens.withUnsafeBufferPointer { tokens in
            let pass = Pass(
                self,
                arena,
                tokens: tokens.baseAddress!,
                targets: tokens.baseAddress!,
                sequences: 1,
                length: rows
            )
            let normalized = pass[layers.normalized]
            norm.forward(input, into: normalized, Rows(pass, 0..<rows))
            return body(pass, normalized)
        }
    }

    /// Runs a forward pass over one sequence and gives `body` access to the state of all layers.
    private func inspect<Result>(_ tokens: [Int32], _ body: (Pass) -> Result) -> Result {
        var result: Result?
        _ = sumOverChunks(of: MicroBatch(tokens, tokens, length: tokens.count), for: .inspection) { pass, _ in
            layers.forward(pass)
            result = body(pass)
            return 0
        }
        return result!
    }

    /// Returns a matrix that `fill` fills, as an array.
    private func matrix(rows: Int, columns: Int, fill: (MatrixView) -> Void) -> [Float] {
        [Float](unsafeUninitializedCapacity: rows * columns) { values, count in
            values.initialize(repeating: 0)
            fill(MatrixView(values.baseAddress!, rows: rows, columns: columns))
            count = rows * columns
        }
    }
}

extension MatrixView {
    /// The elements of a view without gaps between rows.
    fileprivate var contents: [Float] {
        precondition(stride == columns, "the view is a slice of columns of a wider matrix")
        return Array(UnsafeBufferPointer(start: base, count: rows * columns))
    }
}
