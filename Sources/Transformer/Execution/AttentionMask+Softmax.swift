import CVectorKernels
import Compute

/// Where the rows of a block of scores stand.
struct ScorePlace {
    let head: Int
    /// The first row's, among those that `HeadPass.logSumExp` is for.
    let row: Int
    /// The position of the first row's query.
    let query: Int
    /// For dropout: where the first row is among those of all heads, and how long they are.
    let firstWeights, weightsLength: Int
}

/// Rows of scores that one call of a kernel computes: the first sees `visible` keys, each further one a key more.
struct VisibleRows {
    let rows: Range<Int>
    let visible: Int
}

// The softmax of a block of scores (queries, keys), by the kernels.
extension AttentionMask {
    /// Scores become dropped weights; `logSumExp` (queries) receives the log of each row's sum of exponentials.
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

    /// Scores become the same weights again, without dropout.
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

    /// The gradient of the dropped weights, `ds`, becomes that of q kᵀ; p becomes the dropped weights.
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
            // Weights of keys that are not seen are 0, and so are their gradients.
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

    /// Calls `body` for all rows that can be computed together; rows that see no key become zero.
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
