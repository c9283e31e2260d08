import CVectorKernels
import Compute
import Platform

/// Which positions the queries of a head see, and what is added to their scores.
///
/// GPT-2's is the causal mask and nothing else, for which the kernels are made: query t sees keys 0 ... t. Every other pattern writes
/// -∞ over the scores that are not seen and calls the same kernels row by row.
struct AttentionPattern {
    var isCausal = true
    var window = 0
    var sinks = 0
    /// Scores are divided by it.
    var temperature: Float = 1
    /// Of each head, what a score loses for each position of distance; empty for nothing.
    var slopes: [Float] = []
    /// Whether all query rows are one block.
    var isWhole = false

    init() {}

    init(_ variants: GPTVariants, headCount: Int) {
        isCausal = variants.causalMask
        window = variants.attentionWindow
        sinks = variants.attentionSinks
        temperature = Float(variants.attentionTemperature)
        isWhole = variants.attention == .plain
        if variants.positions == .alibi {
            // ALiBi's geometric sequence from 2^(-8/H) down to 2^-8.
            slopes = (1...headCount).map {
                Float(exp(-8 * Double($0) / Double(headCount) * 0.693147180559945))
            }
        }
    }

    /// Query rows a block. Scores of 64 rows by 1024 keys are 256 KiB, which stays in a core's second-level cache; short
    /// sequences have smaller blocks, so that little is computed above the diagonal. BLAS gives rows the same bits in blocks
    /// that are multiples of 16.
    func queryBlock(_ length: Int) -> Int { isWhole ? length : length <= 128 ? 32 : 64 }

    /// Keys that a block of query rows needs, of `length`.
    func reach(_ rows: Range<Int>, of length: Int) -> Int { isCausal ? rows.upperBound : length }

    func scale(headSize: Int) -> Float { 1 / (Float(headSize).squareRoot() * temperature) }

    private var isPlain: Bool { isCausal && window == 0 && slopes.isEmpty }

    /// Whether a query sees a key of its sequence, by their positions.
    func sees(_ query: Int, _ key: Int) -> Bool {
        if isCausal && key > query { return false }
        return window == 0 || abs(query - key) < window || key < sinks
    }

    /// Where the rows of a block of scores stand.
    struct Place {
        let head: Int
        /// Of the first row within its sequence.
        let query: Int
        /// For dropout: of the first row among those of all heads, and how long they are.
        let firstWeights, weightsLength: Int
    }

    /// Scores (rows, keys) to weights; lse (rows) receives the log of each row's sum of exponentials.
    func softmax(
        _ scores: MatrixView,
        logSumExp: UnsafeMutablePointer<Float>,
        at place: Place,
        mask: UnsafePointer<dt_dropout>?
    ) {
        forRows(scores, place) { rows, visible, row in
            Kernels.table.causal_softmax(
                rows.base,
                logSumExp + row,
                rows.rows,
                visible,
                rows.columns,
                rows.stride,
                mask,
                place.firstWeights + row,
                place.weightsLength
            )
        }
    }

    /// The same weights again from scores and lse, without dropout.
    func probabilities(_ scores: MatrixView, logSumExp: UnsafePointer<Float>, at place: Place) {
        forRows(scores, place) { rows, visible, row in
            Kernels.table.causal_probabilities(
                rows.base,
                logSumExp + row,
                rows.rows,
                visible,
                rows.columns,
                rows.stride
            )
        }
    }

    /// From the gradient of the dropped weights, `ds`, to that of q kᵀ; p becomes the dropped weights.
    func softmaxBackward(
        _ ds: MatrixView,
        _ p: MatrixView,
        delta: UnsafePointer<Float>,
        scale: Float,
        at place: Place,
        mask: UnsafePointer<dt_dropout>?
    ) {
        func backward(_ rows: Range<Int>, visible: Int) {
            Kernels.table.causal_softmax_backward(
                ds.rows(rows).base,
                p.rows(rows).base,
                delta + rows.lowerBound,
                scale,
                rows.count,
                visible,
                ds.columns,
                ds.stride,
                mask,
                place.firstWeights + rows.lowerBound,
                place.weightsLength
            )
        }
        if isPlain { return backward(0..<ds.rows, visible: place.query + 1) }
        // Weights of keys that are not seen are 0, and so are their gradients.
        for row in 0..<ds.rows { backward(row..<row + 1, visible: visible(place.query + row, ds.columns)) }
    }

    private func visible(_ query: Int, _ keys: Int) -> Int { isCausal ? query + 1 : keys }

    /// Calls `body` for all rows at once, or, with scores changed by the pattern, for each.
    private func forRows(
        _ scores: MatrixView,
        _ place: Place,
        _ body: (_ rows: MatrixView, _ visible: Int, _ row: Int) -> Void
    ) {
        if isPlain { return body(scores, place.query + 1, 0) }
        let slope = slopes.isEmpty ? 0 : slopes[place.head]
        for row in 0..<scores.rows {
            let (query, line) = (place.query + row, scores.rows(row..<row + 1))
            for key in 0..<visible(query, scores.columns) {
                if sees(query, key) {
                    line.base[key] -= slope * Float(abs(query - key))
                } else {
                    line.base[key] = -.infinity
                }
            }
            body(line, visible(query, scores.columns), row)
        }
    }
}
