/// A row-major matrix of floats in memory that it does not own. A view is valid only while the owner exists. Do not
/// store it beyond one pass.
///
/// `stride` is the distance between rows in elements, so a view can be a slice of columns, such as one head of a
/// projection.
public struct MatrixView {
    /// The first element of row 0.
    public let base: UnsafeMutablePointer<Float>
    /// The number of rows in the view; the memory may hold more.
    public let rows: Int
    /// The number of columns in the view.
    public let columns: Int
    /// The distance from the start of one row to the start of the next, in elements.
    public let stride: Int

    /// Creates a view of memory without copying it. A nil `stride` means that rows have no gaps between them.
    public init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int? = nil) {
        self.base = base
        self.rows = rows
        self.columns = columns
        self.stride = stride ?? columns
    }

    /// Returns a view of rows `range`.
    public func rows(_ range: Range<Int>) -> MatrixView {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
        return MatrixView(base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
    }

    /// Returns a view of columns `range`.
    public func columns(_ range: Range<Int>) -> MatrixView {
        precondition(range.lowerBound >= 0 && range.upperBound <= columns, "columns \(range) of \(columns)")
        return MatrixView(base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
    }

    /// Returns a pointer to the first element of a row. The index is not checked.
    @inlinable
    public func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * stride }

    /// Reads one element. Neither index is checked.
    public subscript(row: Int, column: Int) -> Float {
        base[row * stride + column]
    }
}

extension FloatBuffer {
    /// Returns the first `rows * columns` elements as a matrix.
    public func matrix(rows: Int, columns: Int) -> MatrixView {
        precondition(rows * columns <= count, "(\(rows), \(columns)) does not fit \(count) elements")
        return MatrixView(base, rows: rows, columns: columns)
    }

    /// Returns the elements in `range` as a matrix. `range.count` must be a whole number of rows.
    public func matrix(_ range: Range<Int>, columns: Int) -> MatrixView {
        precondition(range.upperBound <= count && range.count % columns == 0)
        return MatrixView(base + range.lowerBound, rows: range.count / columns, columns: columns)
    }
}
