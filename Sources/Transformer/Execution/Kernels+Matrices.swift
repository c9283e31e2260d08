import CVectorKernels
import Compute

// The vector kernels on matrices, as the layers call them. CVectorKernels.h documents each kernel.
extension Kernels {
    /// y = x + dropout(change + bias)
    func addResidual(
        _ x: MatrixView,
        _ change: MatrixView,
        bias: UnsafePointer<Float>? = nil,
        into y: MatrixView,
        _ mask: Mask? = nil
    ) {
        let (firstRow, length) = (mask?.firstRow ?? 0, mask?.length ?? 1)
        withOptionalPointer(to: mask?.dropout) {
            table.residual_forward(y.base, x.base, change.base, bias, y.rows, y.columns, $0, firstRow, length)
        }
    }

    /// y = dropout(x); y and x may be the same memory
    func drop(_ mask: Mask, _ x: MatrixView, into y: MatrixView) {
        withUnsafePointer(to: mask.dropout) {
            table.dropout_rows(y.base, x.base, x.rows, x.columns, $0, mask.firstRow, mask.length)
        }
    }

    /// y += x
    func add(_ x: MatrixView, to y: MatrixView) { table.add(y.base, x.base, y.rows * y.columns) }

    /// sums += the sums over all rows, for some columns
    func addColumnSums(_ x: MatrixView, _ columns: Range<Int>, to sums: UnsafeMutablePointer<Float>) {
        table.column_sums(sums, x.base, x.rows, x.stride, columns.lowerBound, columns.upperBound)
    }
}
