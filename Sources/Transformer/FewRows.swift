import Compute

/// Products of a few rows with weights: the cost is to read the weights, whatever the number of rows.
///
/// An element has the same bits for any number of rows and however columns are shared among workers.
enum FewRows {
    /// Up to here these products are taken in place of `MatrixProduct`.
    static let most = 8

    /// y = x W + b; x (rows, K), W (K, N), b (N).
    static func multiply(
        _ x: MatrixView,
        _ weight: MatrixView,
        bias: UnsafePointer<Float>? = nil,
        into y: MatrixView
    ) {
        precondition(x.columns == weight.rows && y.rows == x.rows && y.columns == weight.columns)
        Kernels.table.few_rows_product(
            y.base,
            y.stride,
            x.base,
            x.stride,
            weight.base,
            weight.stride,
            bias,
            x.rows,
            weight.rows,
            weight.columns
        )
    }

    /// y = scale * x Wᵀ; x (rows, K), W (N, K).
    static func multiplyTransposed(_ x: MatrixView, _ weight: MatrixView, into y: MatrixView, scale: Float = 1) {
        precondition(x.columns == weight.columns && y.rows == x.rows && y.columns == weight.rows)
        Kernels.table.few_rows_dots(
            y.base,
            y.stride,
            x.base,
            x.stride,
            weight.base,
            weight.stride,
            scale,
            x.rows,
            weight.columns,
            weight.rows
        )
    }

    /// `0..<count` cut for `threads` workers: some pieces for each, so that one that is held up does not hold up all, but
    /// at least 64 KiB of weights a piece, and whole cache lines.
    static func pieces(of count: Int, bytesEach: Int, threads: Int) -> [Range<Int>] {
        guard threads > 1 else { return [0..<count] }
        let size = max((count + 4 * threads - 1) / (4 * threads), 65536 / bytesEach, 1)
        return tiles(of: count, size: (size + 15) / 16 * 16)
    }
}
