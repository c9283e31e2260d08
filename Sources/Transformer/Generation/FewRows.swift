import Compute

/// Products of a few rows with weights. Their cost is reading the weights, whatever the number of rows.
///
/// The bits of an element do not depend on the number of rows or on how workers share the columns.
enum FewRows {
    /// Up to this number of rows, these products replace those of `MatrixProducts`.
    static let maximumRows = 8

    /// y = x W + b; x (rows, K), W (K, N), b (N).
    static func multiply(
        _ x: MatrixView,
        _ weight: MatrixView,
        bias: UnsafePointer<Float>? = nil,
        into y: MatrixView,
        _ kernels: Kernels
    ) {
        precondition(x.columns == weight.rows && y.rows == x.rows && y.columns == weight.columns)
        kernels.table.few_rows_product(
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
    static func multiplyTransposed(
        _ x: MatrixView,
        _ weight: MatrixView,
        into y: MatrixView,
        scale: Float = 1,
        _ kernels: Kernels
    ) {
        precondition(x.columns == weight.columns && y.rows == x.rows && y.columns == weight.rows)
        kernels.table.few_rows_dots(
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

    /// Splits `0..<count` into `pieces` ranges of whole cache lines. There are fewer if a range would have less than
    /// 256 KiB of weights, which take about 10 microseconds to read.
    ///
    /// Split the columns of W into one range per worker: wider ranges read memory faster (2 KiB per row is a fifth
    /// faster than 0.6 KiB). Rows of Wᵀ are contiguous anyway, so more ranges help to balance workers that are delayed.
    static func pieces(of count: Int, _ pieces: Int, bytesEach: Int) -> [Range<Int>] {
        let size = max((count + pieces - 1) / pieces, 262_144 / bytesEach)
        return tiles(of: count, size: (size + 15) / 16 * 16)
    }
}
