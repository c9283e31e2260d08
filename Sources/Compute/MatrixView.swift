/// Rows of floats in memory that somebody else owns: valid only while the owner lives, never stored beyond a pass.
///
/// `stride` is the distance between rows in elements, so a view can be a slice of columns (one head of a projection).
public struct MatrixView {
    /// The first element of row 0.
    public let base: UnsafeMutablePointer<Float>
    /// Rows seen; the memory may have more.
    public let rows: Int
    /// Elements seen of each row.
    public let columns: Int
    /// From the start of a row to that of the next, in elements.
    public let stride: Int

    /// A view of memory that is not copied; `stride` nil for rows without gaps.
    public init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int? = nil) {
        self.base = base
        self.rows = rows
        self.columns = columns
        self.stride = stride ?? columns
    }

    /// Rows `range` of this view.
    public func rows(_ range: Range<Int>) -> MatrixView {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
        return MatrixView(base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
    }

    /// Columns `range` of this view.
    public func columns(_ range: Range<Int>) -> MatrixView {
        precondition(range.lowerBound >= 0 && range.upperBound <= columns, "columns \(range) of \(columns)")
        return MatrixView(base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
    }

    /// The first element of a row. The index is not checked.
    @inlinable
    public func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * stride }

    /// Reads one element; neither index is checked.
    public subscript(row: Int, column: Int) -> Float {
        base[row * stride + column]
    }
}

extension FloatBuffer {
    /// The buffer's first `rows * columns` elements as a matrix.
    public func matrix(rows: Int, columns: Int) -> MatrixView {
        precondition(rows * columns <= count, "(\(rows), \(columns)) does not fit \(count) elements")
        return MatrixView(base, rows: rows, columns: columns)
    }

    /// A piece of the buffer as a matrix: `range.count` must be a whole number of rows.
    public func matrix(_ range: Range<Int>, columns: Int) -> MatrixView {
        precondition(range.upperBound <= count && range.count % columns == 0)
        return MatrixView(base + range.lowerBound, rows: range.count / columns, columns: columns)
    }
}
