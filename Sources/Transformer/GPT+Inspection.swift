import Compute

/// What one sequence of T tokens leaves in every layer as it passes through the model.
public struct Activations: Sendable {
    /// The residual stream, (T, C) each: as the embedding makes it, then after each block.
    public var residuals: [[Float]] = []
    /// The units of each block's MLP before the activation function, (T, 4C).
    public var hidden: [[Float]] = []
    /// The same after it.
    public var activated: [[Float]] = []
}

// For looking inside a model; `attentionWeights` and `logits` stand with the passes.
extension GPT {
    /// The positions from the first to the last that row `row` of a sequence of `length` tokens attends to in a layer: itself and all
    /// before it, unless the model's variants change that.
    public func visiblePositions(layer: Int, row: Int, length: Int) -> Range<Int> {
        let seen = seenPositions(layer, row, length)
        return seen[0]..<seen[seen.count - 1] + 1
    }

    /// How many positions that row attends to.
    public func visibleCount(layer: Int, row: Int, length: Int) -> Int { seenPositions(layer, row, length).count }

    private func seenPositions(_ layer: Int, _ row: Int, _ length: Int) -> [Int] {
        (0..<length).filter { blocks[layer].attention.pattern.sees(row, $0) }
    }

    /// The states of a forward pass over one sequence, without dropout.
    public func activations(tokens: [Int32]) -> Activations {
        var activations = Activations()
        // As before a backward pass, where no layer's memory is used by the next one.
        _ = sumOverChunks(tokens, tokens, tokens.count, nil, training: true) { chunk in
            forward(chunk, nil)
            for (block, state) in zip(blocks, chunk.blocks) {
                activations.residuals.append(state.input.rows(0..<chunk.rows).contents)
                let hidden = state.hidden.rows(0..<chunk.rows)
                activations.hidden.append(hidden.contents)
                activations.activated.append(
                    Self.values(rows: hidden.rows, columns: hidden.columns) { block.mlp.activate(hidden, into: $0) }
                )
            }
            activations.residuals.append(chunk.buffers.finalInput.rows(0..<chunk.rows).contents)
            return 0
        }
        return activations
    }

    /// The logits (T, V) of a residual stream (T, C): `ln_f(x) wteᵀ`, whichever layer it comes from (nostalgebraist, "interpreting
    /// GPT: the logit lens", 2020). After the last block these are the model's own.
    public func logits(residual: [Float]) -> [Float] {
        let width = configuration.embeddingSize
        precondition(residual.count % width == 0, "whole rows of \(width)")
        let rows = residual.count / width
        let means = FloatBuffer(count: rows)
        let deviations = FloatBuffer(count: rows)
        var residual = residual
        var normalized = residual.withUnsafeMutableBufferPointer { residual in
            Self.values(rows: rows, columns: width) {
                finalLayerNorm.forward(
                    MatrixView(residual.baseAddress!, rows: rows, columns: width),
                    into: $0,
                    LayerNorm.Statistics(mean: means.base, rstd: deviations.base)
                )
            }
        }
        return normalized.withUnsafeMutableBufferPointer { normalized in
            Self.values(rows: rows, columns: configuration.vocabularySize) {
                head.logits(MatrixView(normalized.baseAddress!, rows: rows, columns: width), into: $0)
            }
        }
    }

    /// A matrix that `fill` fills, as an array.
    private static func values(rows: Int, columns: Int, fill: (MatrixView) -> Void) -> [Float] {
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
