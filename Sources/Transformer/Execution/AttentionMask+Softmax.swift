import CVectorKernels
import Compute

/// The position of a block of scores.
struct ScorePlace {
    let head: Int
    /// The index of the first row in `HeadPass.logSumExp`.
    let row: Int
    /// The position of the first row's query.
    let query: Int
    /// For dropout: the index of the first row among the rows of all heads, and the length of these rows.
    let firstWeights, weightsLength: Int
}

/// Rows of scores that one kernel call computes. The first row attends to `visible` keys, and each further row to one
/// more.
struct VisibleRows {
    let rows: Range<Int>
    let visible: Int
}

// The softmax of a block of scores (queries, keys), computed by the kernels.
extension AttentionMask {
    /// Turns scores into attention weights with dropout. Writes the log of each row's sum of exponentials to
    /// `logSumExp` (queries).
    func softmax(
        _ scores: MatrixView,
        logSumExp: UnsafeMutablePointer<Float>,
        _ place: ScorePlace,
        _ dropout: dt_dropout?,
        _ kernels: Kernels
    ) {
        withOptionalPointer(to: dropout) { dropout in
            forVisibleRows(scores, place, changing: scores) { p, first, visible in
                kernels.table.causal_softmax(
                    p.base,
                    logSumExp + first,
                    p.rows,
                    visible,
                    p.columns,
                    p.stride,
                    dropout,
                    place.firstWeights + first,
                    place.weightsLength
                )
            }
        }
    }

    /// Turns scores into the same weights again, without dropout.
    func probabilities(
        _ scores: MatrixView,
        logSumExp: UnsafePointer<Float>,
        _ place: ScorePlace,
        _ kernels: Kernels
    ) {
        forVisibleRows(scores, place, changing: scores) { p, first, visible in
            kernels.table.causal_probabilities(p.base, logSumExp + first, p.rows, visible, p.columns, p.stride)
        }
    }

    /// Turns `ds` from the gradient of the weights after dropout into the gradient of q kᵀ, and p into the weights
    /// after dropout.
    func softmaxBackward(
        _ ds: MatrixView,
        _ p: MatrixView,
        delta: UnsafePointer<Float>,
        scale: Float,
        _ place: ScorePlace,
        _ dropout: dt_dropout?,
        _ kernels: Kernels
    ) {
        withOptionalPointer(to: dropout) { dropout in
            // Masked keys have weight 0, and so gradient 0.
            forVisibleRows(ds, place, changing: nil) { ds, first, visible in
                kernels.table.causal_softmax_backward(
                    ds.base,
                    p.row(first),
                    delta + first,
                    scale,
                    ds.rows,
                    visible,
                    ds.columns,
                    ds.stride,
                    dropout,
                    place.firstWeights + first,
                    place.weightsLength
                )
            }
        }
    }

    /// Calls `body` for each group of rows that one kernel call can compute. Rows that attend to no key become zero.
    private func forVisibleRows(
        _ scores: MatrixView,
        _ place: ScorePlace,
        changing changed: MatrixView?,
        _ body: (_ rows: MatrixView, _ first: Int, _ visible: Int) -> Void
    ) {
        for group in visibleRows(scores.rows, scores.columns, place, changing: changed) {
            let rows = scores.rows(group.rows)
            if group.visible > 0 { body(rows, group.rows.lowerBound, group.visible) } else { rows.clear() }
        }
    }
}

extension MatrixView {
    /// Sets every element to zero.
    func clear() {
        for index in 0..<rows { row(index).update(repeating: 0, count: columns) }
    }
}
