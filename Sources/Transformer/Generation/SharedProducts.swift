import Compute

// In generation, workers share each product with a weight, because only a few rows are processed at a time.
extension ComputeContext {
    private static let rowTile = 128
    private static let columnTile = 256

    /// y = x W + b. Workers share the columns if there are few rows, and tiles otherwise.
    func multiplyShared(
        _ x: MatrixView,
        _ weight: MatrixView,
        bias: UnsafeMutablePointer<Float>?,
        into y: MatrixView
    ) {
        guard x.rows > FewRows.maximumRows else {
            let pieces = FewRows.pieces(of: y.columns, pool.threadCount, bytesEach: 4 * weight.rows)
            return pool.run(pieces.count) { task, _ in
                let columns = pieces[task]
                let part = bias.map { UnsafePointer($0 + columns.lowerBound) }
                FewRows.multiply(x, weight.columns(columns), bias: part, into: y.columns(columns), kernels)
            }
        }
        let rowTiles = tiles(of: x.rows, size: Self.rowTile)
        let columnTiles = tiles(of: y.columns, size: Self.columnTile)
        pool.run(rowTiles.count * columnTiles.count) { task, _ in
            let rows = rowTiles[task % rowTiles.count]
            let columns = columnTiles[task / rowTiles.count]
            let part = y.rows(rows).columns(columns)
            products.multiply(x.rows(rows), .plain, weight.columns(columns), .plain, into: part)
            guard let bias else { return }
            for row in 0..<part.rows {
                kernels.table.add_bias(part.row(row), bias + columns.lowerBound, 1, part.columns)
            }
        }
    }

    /// y = x Wᵀ for a few rows and a weight (V, C).
    func multiplySharedTransposed(_ x: MatrixView, _ weight: MatrixView, into y: MatrixView) {
        let pieces = FewRows.pieces(of: weight.rows, 4 * pool.threadCount, bytesEach: 4 * weight.columns)
        pool.run(pieces.count) { task, _ in
            FewRows.multiplyTransposed(x, weight.rows(pieces[task]), into: y.columns(pieces[task]), kernels)
        }
    }
}
