import Compute

/// What one sequence of T tokens leaves in every layer as it passes through the model.
public struct Activations: Sendable {
    /// The residual stream, (T, C) each: as the embedding makes it, then after each block.
    public var residuals: [[Float]] = []
    /// The units of each block's feed-forward half before the activation function, (T, F).
    public var hidden: [[Float]] = []
    /// The same units after it.
    public var activated: [[Float]] = []
}

// For looking inside a model.
extension GPT {
    /// Logits (T, V) of one sequence, whole: for tests and for looking inside, not for training.
    public func logits(tokens: [Int32]) -> [Float] {
        inspect(tokens) { pass in
            matrix(rows: tokens.count, columns: configuration.vocabularySize) {
                logits(pass[layers.normalized], into: $0, pass)
            }
        }
    }

    /// logits (rows, V) = x Wᵀ, whole.
    private func logits(_ x: MatrixView, into logits: MatrixView, _ pass: Pass) {
        let weight = pass.matrix(layers.head.weight.parameter)
        context.products.multiply(x, .plain, weight, .transposed, into: logits, part: .headProducts)
    }

    /// Attention weights of one sequence: for each layer and head the matrix (T, T), row t over the positions it sees.
    public func attentionWeights(tokens: [Int32]) -> [[[Float]]] {
        inspect(tokens) { pass in
            layers.blocks.map { block in
                let attention = block.attention.function
                return (0..<attention.shape.headCount).map { weights(attention, head: $0, pass) }
            }
        }
    }

    /// The attention weights P of one head, (T, T), without dropout. A head that an experiment removes has weights too.
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

    /// The positions from the first to the last that row `row` of a sequence of `length` tokens attends to: itself and all before
    /// it, unless an experiment changes that.
    public func visiblePositions(row: Int, length: Int) -> Range<Int> {
        let seen = seenPositions(row, length)
        return seen[0]..<seen[seen.count - 1] + 1
    }

    /// How many positions that row attends to.
    public func visibleCount(row: Int, length: Int) -> Int { seenPositions(row, length).count }

    private func seenPositions(_ row: Int, _ length: Int) -> [Int] {
        (0..<length).filter { configuration.ablations.canAttend(row, $0) }
    }

    /// The states of a forward pass over one sequence, without dropout.
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

    /// The logits (T, V) of a residual stream (T, C): `ln_f(x) wteᵀ`, whichever layer it comes from (nostalgebraist, "interpreting
    /// GPT: the logit lens", 2020). After the last block these are the model's own.
    public func logits(residual: [Float]) -> [Float] {
        normalizing(residual, with: layers.finalNorm) { pass, normalized in
            matrix(rows: normalized.rows, columns: configuration.vocabularySize) {
                logits(normalized, into: $0, pass)
            }
        }
    }

    /// What `body` makes of rows (T, C) after a norm.
    func normalizing<Result>(_ x: [Float], with norm: any Normalization, _ body: (Pass, MatrixView) -> Result) -> Result
    {
        let width = configuration.embeddingSize
        precondition(x.count % width == 0, "whole rows of \(width)")
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

    /// One forward pass over a single sequence, with a look at the state of all layers.
    private func inspect<Result>(_ tokens: [Int32], _ body: (Pass) -> Result) -> Result {
        var result: Result?
        _ = sumOverChunks(of: MicroBatch(tokens, tokens, length: tokens.count), for: .inspection) { pass, _ in
            layers.forward(pass)
            result = body(pass)
            return 0
        }
        return result!
    }

    /// A matrix that `fill` fills, as an array.
    private func matrix(rows: Int, columns: Int, fill: (MatrixView) -> Void) -> [Float] {
        [Float](unsafeUninitializedCapacity: rows * columns) { values, count in
            values.initialize(repeating: 0)
            fill(MatrixView(values.baseAddress!, rows: rows, columns: columns))
            count = rows * columns
        }
    }
}

extension MatrixView {
    /// The elements of a view of whole rows.
    fileprivate var contents: [Float] {
        precondition(stride == columns, "columns of a wider matrix")
        return Array(UnsafeBufferPointer(start: base, count: rows * columns))
    }
}
