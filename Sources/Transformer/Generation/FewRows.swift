import Compute

/// Products of a few rows with weights: the cost is to read the weights, whatever the number of rows.
///
/// An element has the same bits for any number of rows and however columns are shared among workers.
enum FewRows {
    /// Up to here these products are taken in place of `MatrixProducts`.
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

    /// `0..<count` cut into `pieces`, or fewer so that each has at least 256 KiB of weights, some 10 microseconds of reading;
    /// whole cache lines.
    ///
    /// Columns of W are cut into one piece a worker: the wider a piece, the better memory is read (a fifth faster at 2 KiB a row
    /// than at 0.6). Rows of Wᵀ lie in one piece anyway, and more pieces even out workers that are held up.
    static func pieces(of count: Int, _ pieces: Int, bytesEach: Int) -> [Range<Int>] {
        let size = max((count + pieces - 1) / pieces, 262_144 / bytesEach)
        return tiles(of: count, size: (size + 15) / 16 * 16)
    }
}
