import CVectorKernels
import Compute

/// Token and position embeddings: `x[t] = dropout(wte[token[t]] + wpe[t])`.
struct Embedding {
    let tokens: MatrixView  // (V, C), also the weights of an output head that is tied
    let positions: MatrixView  // (block size, C); no rows where positions are not learned
    let gradient: Gradient?

    struct Gradient {
        let tokens: MatrixView
        let positions: MatrixView
    }

    /// x (rows, C) for rows from `firstRow` of a chunk of sequences of `length` tokens.
    func forward(
        _ ids: UnsafePointer<Int32>,
        firstRow: Int,
        length: Int,
        firstPosition: Int = 0,
        into x: MatrixView,
        mask: dt_dropout?
    ) {
        let width = x.columns
        Profile.measure(.embedding) {
            for row in 0..<x.rows {
                let token = tokens.base + Int(ids[firstRow + row]) * width
                if positions.rows == 0 {
                    (x.base + row * width).update(from: token, count: width)
                    continue
                }
                let position = positions.base + (firstPosition + (firstRow + row) % length) * width
                Kernels.table.residual_forward(x.base + row * width, token, position, nil, 1, width, nil, 0, 1)
            }
        }
        guard mask != nil else { return }
        withMask(mask) { mask in
            Kernels.table.dropout_rows(x.base, x.base, x.rows, width, mask, firstRow, length)
        }
    }

    /// The tasks that add dx (R, C), already masked, to the embeddings' gradients: each owns a slice of columns and takes
    /// the rows in order.
    func parameterTasks(_ ids: UnsafePointer<Int32>, _ dx: MatrixView, length: Int) -> [PhaseTask] {
        guard let gradient else { preconditionFailure("a model without gradients has no backward pass") }
        return tiles(of: dx.columns, size: 64).map { columns in
            { _ in
                Profile.measure(.embedding) {
                    let width = dx.columns
                    for row in 0..<dx.rows {
                        let source = dx.base + row * width
                        let token = gradient.tokens.base + Int(ids[row]) * width
                        for column in columns { token[column] += source[column] }
                        if positions.rows == 0 { continue }
                        let position = gradient.positions.base + (row % length) * width
                        for column in columns { position[column] += source[column] }
                    }
                }
            }
        }
    }
}
