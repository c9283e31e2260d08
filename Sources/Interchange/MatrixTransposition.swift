import Compute

/// Transposes matrices between tools that store weights as (in, out) and tools that store them as (out, in). It
/// transposes a few rows at a time, so no copy of the whole matrix is needed.
enum MatrixTransposition {
    /// The number of rows per block. 32 floats fill two cache lines of each row of the transposed side.
    private static let blockRows = 32

    /// Fills a matrix (rows, columns) from its transpose (columns, rows).
    ///
    /// - Parameter read: Fills `block` with the rows `range` of the transpose, in row-major order.
    static func write(
        columns: Int,
        rows: Int,
        into destination: UnsafeMutableBufferPointer<Float>,
        read: (_ range: Range<Int>, _ block: UnsafeMutableBufferPointer<Float>) -> Void
    ) {
        let block = FloatBuffer(count: min(blockRows, columns) * rows)
        for start in stride(from: 0, to: columns, by: blockRows) {
            let range = start..<min(start + blockRows, columns)
            read(range, UnsafeMutableBufferPointer(rebasing: block.elements[..<(range.count * rows)]))
            for row in 0..<rows {
                for column in range {
                    destination[row * columns + column] = block.elements[(column - start) * rows + row]
                }
            }
        }
    }

    /// Passes the transpose of a matrix (rows, columns) to `write`, a few rows at a time.
    static func read(
        _ source: UnsafeBufferPointer<Float>,
        rows: Int,
        columns: Int,
        write: (_ block: UnsafeBufferPointer<Float>) throws -> Void
    ) rethrows {
        let block = FloatBuffer(count: min(blockRows, columns) * rows)
        for start in stride(from: 0, to: columns, by: blockRows) {
            let range = start..<min(start + blockRows, columns)
            for row in 0..<rows {
                for column in range {
                    block.elements[(column - start) * rows + row] = source[row * columns + column]
                }
            }
            try write(UnsafeBufferPointer(rebasing: block.elements[..<(range.count * rows)]))
        }
    }
}
