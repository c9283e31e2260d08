import Compute

/// Matrices between tools that store them (in, out) and others that store them (out, in), a few rows at a time:
/// neither is ever there a second time as a whole.
enum MatrixTransposition {
    /// Rows that are turned at once: of float32 two cache lines in each row of the other side.
    private static let blockRows = 32

    /// Fills a matrix (rows, columns) from one that comes as (columns, rows).
    ///
    /// - Parameter read: gives rows `range` of the other matrix, one after the other.
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

    /// Hands the transpose of a matrix (rows, columns) on, some of its rows at a time.
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
