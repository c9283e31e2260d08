import CVectorKernels
import Testing

@testable import Compute

/// Compares products of a few rows with plain loops, and checks that splitting the work does not change their bits.
@Suite("Products of a few rows")
struct FewRowsKernelTests {
    private func values(_ count: Int, item: UInt32) -> [Float] {
        let random = CounterRandom(seed: 3, stream: .test, item: item)
        return (0..<count).map { Float(random.normalPair(UInt32($0)).0) }
    }

    private static let shapes = [(1, 1, 1), (1, 8, 16), (3, 37, 70), (8, 64, 129), (2, 100, 5)]

    @Test("x W + b and x Wᵀ agree with plain loops", arguments: Kernels.available, shapes)
    func values(isa: String, shape: (rows: Int, inner: Int, columns: Int)) {
        let table = dt_kernels_named(isa)!.pointee
        let (rows, inner, columns) = shape
        let x = values(rows * inner, item: 1)
        let (w, bias) = (values(inner * columns, item: 2), values(columns, item: 3))
        var y = [Float](repeating: .nan, count: rows * columns)
        table.few_rows_product(&y, columns, x, inner, w, columns, bias, rows, inner, columns)
        var dots = [Float](repeating: .nan, count: rows * columns)
        table.few_rows_dots(&dots, columns, x, inner, w, inner, 0.5, rows, inner, columns)
        for row in 0..<rows {
            for column in 0..<columns {
                var (product, dot, size) = (Double(bias[column]), 0.0, 1.0)
                for k in 0..<inner {
                    let factor = Double(x[row * inner + k])
                    product += factor * Double(w[k * columns + column])
                    dot += 0.5 * factor * Double(w[column * inner + k])
                    size += abs(factor) * 4
                }
                let place = row * columns + column
                #expect(abs(Double(y[place]) - product) < 1e-6 * size, "product, row \(row), column \(column)")
                #expect(abs(Double(dots[place]) - dot) < 1e-6 * size, "dots, row \(row), column \(column)")
            }
        }
    }

    @Test("splitting columns or rows does not change a bit", arguments: Kernels.available)
    func splits(isa: String) {
        let table = dt_kernels_named(isa)!.pointee
        let (rows, inner, columns) = (5, 53, 100)
        let (x, w) = (values(rows * inner, item: 1), values(inner * columns, item: 2))
        func product(_ pieces: [Range<Int>], rowsAtOnce: Int, dots: Bool) -> [Float] {
            var y = [Float](repeating: .nan, count: rows * columns)
            y.withUnsafeMutableBufferPointer { y in
                x.withUnsafeBufferPointer { x in
                    w.withUnsafeBufferPointer { w in
                        for piece in pieces {
                            for row in stride(from: 0, to: rows, by: rowsAtOnce) {
                                let count = min(rowsAtOnce, rows - row)
                                let out = y.baseAddress! + row * columns + piece.lowerBound
                                let input = x.baseAddress! + row * inner
                                if dots {
                                    let weights = w.baseAddress! + piece.lowerBound * inner
                                    table.few_rows_dots(
                                        out,
                                        columns,
                                        input,
                                        inner,
                                        weights,
                                        inner,
                                        1,
                                        count,
                                        inner,
                                        piece.count
                                    )
                                } else {
                                    let weights = w.baseAddress! + piece.lowerBound
                                    table.few_rows_product(
                                        out,
                                        columns,
                                        input,
                                        inner,
                                        weights,
                                        columns,
                                        nil,
                                        count,
                                        inner,
                                        piece.count
                                    )
                                }
                            }
                        }
                    }
                }
            }
            return y
        }
        for dots in [false, true] {
            let whole = product([0..<100], rowsAtOnce: 5, dots: dots)
            #expect(product([0..<16, 16..<80, 80..<100], rowsAtOnce: 5, dots: dots) == whole)
            #expect(product([0..<3, 3..<50, 50..<51, 51..<100], rowsAtOnce: 2, dots: dots) == whole)
            #expect(product([0..<100], rowsAtOnce: 1, dots: dots) == whole)
        }
    }
}
