import CVectorKernels
import Testing

@testable import Compute

/// Compares products of our own kernels with plain sums in double precision, and checks that their bits do not depend
/// on what else is computed.
@Suite("Matrix products")
struct MatrixProductTests {
    /// (m, n, depth): odd sizes, sizes of whole strips and panels, and sizes that need more than one block in each
    /// dimension.
    private static let shapes = [
        (1, 1, 1), (3, 5, 7), (12, 32, 64), (13, 33, 65), (6, 16, 128), (97, 65, 129), (25, 600, 385), (110, 257, 800),
        (48, 64, 1), (200, 31, 400),
    ]

    private struct Operand {
        let values: [Float]
        let lead: Int
        let transposed: Bool

        /// Creates op(x), (rows, columns), with a margin after each stored row. Both orientations have the same
        /// elements.
        init(rows: Int, columns: Int, transposed: Bool, item: UInt32) {
            let (stored, width) = transposed ? (columns, rows) : (rows, columns)
            lead = width + 3
            self.transposed = transposed
            let random = CounterRandom(seed: 5, stream: .test, item: item)
            var values = [Float](repeating: 0.125, count: stored * lead)
            for row in 0..<rows {
                for column in 0..<columns {
                    let value = Float(random.uniform(UInt32(row * columns + column))) - 0.5
                    values[transposed ? column * lead + row : row * lead + column] = value
                }
            }
            self.values = values
        }

        func element(_ row: Int, _ column: Int) -> Float {
            transposed ? values[column * lead + row] : values[row * lead + column]
        }
    }

    @Test("products in all orientations agree with plain sums", arguments: Kernels.available, shapes)
    func agreement(isa: String, shape: (Int, Int, Int)) {
        let kernels = dt_kernels_named(isa)!.pointee
        let scratch = FloatBuffer(count: kernels.product_scratch)
        let (m, n, depth) = shape
        let before = Operand(rows: m, columns: n, transposed: false, item: 3)
        // Enough rows to cover each kind of strip.
        let rows = Array(Set(stride(from: 0, to: m, by: max(1, m / 7)) + [m - 1])).sorted()
        let (left, right) = (
            Operand(rows: m, columns: depth, transposed: false, item: 1),
            Operand(rows: depth, columns: n, transposed: true, item: 2)
        )
        let exact = rows.map { row in
            (0..<n).map { column in
                (0..<depth).reduce(0.0) { $0 + Double(left.element(row, $1)) * Double(right.element($1, column)) }
            }
        }
        for (transposedA, transposedB) in [(false, false), (false, true), (true, false), (true, true)] {
            let a = Operand(rows: m, columns: depth, transposed: transposedA, item: 1)
            let b = Operand(rows: depth, columns: n, transposed: transposedB, item: 2)
            for (scale, keep) in [(Float(1), Float(0)), (0.5, 1), (-2, 0.25)] {
                var c = before.values
                kernels.matrix_product(
                    a.values,
                    a.lead,
                    transposedA,
                    b.values,
                    b.lead,
                    transposedB,
                    &c,
                    before.lead,
                    m,
                    n,
                    depth,
                    scale,
                    keep,
                    scratch.base
                )
                var worst = 0.0
                for (index, row) in rows.enumerated() {
                    for column in 0..<n {
                        let sum =
                            Double(scale) * exact[index][column] + Double(keep) * Double(before.element(row, column))
                        worst = max(worst, abs(Double(c[row * before.lead + column]) - sum))
                    }
                    // The product must not write into the margin.
                    #expect(c[row * before.lead + n..<(row + 1) * before.lead].allSatisfy { $0 == 0.125 })
                }
                // The bound covers the rounding errors of a sum of `depth` products below 1/4, which grows to a few
                // units.
                let bound = Double(abs(scale)) * (3e-8 * Double(depth) + 5e-7)
                #expect(worst < bound, "\(transposedA) \(transposedB) \(scale) \(keep): \(worst)")
            }
        }
    }

    @Test("a packed factor gives the same bits as an unpacked one", arguments: Kernels.available, shapes)
    func packed(isa: String, shape: (Int, Int, Int)) {
        let kernels = dt_kernels_named(isa)!.pointee
        let scratch = FloatBuffer(count: kernels.product_scratch)
        let (m, n, depth) = shape
        for transposedB in [false, true] {
            let a = Operand(rows: m, columns: depth, transposed: false, item: 1)
            let b = Operand(rows: depth, columns: n, transposed: transposedB, item: 2)
            let panels = (n + kernels.panel_columns - 1) / kernels.panel_columns
            var packed = [Float](repeating: .nan, count: panels * kernels.panel_columns * depth)
            // Pack in two pieces, the second one first.
            kernels.pack_panels(&packed, b.values, b.lead, transposedB, depth, n, panels / 2, panels)
            kernels.pack_panels(&packed, b.values, b.lead, transposedB, depth, n, 0, panels / 2)
            var whole = [Float](repeating: 0, count: m * n)
            kernels.matrix_product(
                a.values,
                a.lead,
                false,
                b.values,
                b.lead,
                transposedB,
                &whole,
                n,
                m,
                n,
                depth,
                1,
                0,
                scratch.base
            )
            var product = [Float](repeating: 0, count: m * n)
            kernels.packed_product(a.values, a.lead, packed, depth, n, &product, n, m, n, depth, 1, 0)
            #expect(product == whole)
            // Use only part of the columns.
            let columns = (n + 1) / 2
            var part = [Float](repeating: 0, count: m * columns)
            kernels.packed_product(a.values, a.lead, packed, depth, n, &part, columns, m, columns, depth, 1, 0)
            #expect(
                (0..<m).allSatisfy { row in
                    part[row * columns..<(row + 1) * columns].elementsEqual(whole[row * n..<row * n + columns])
                }
            )
            // Use only part of the depth, as attention does for a query that sees only the first keys.
            let seen = (depth + 1) / 2
            kernels.packed_product(a.values, a.lead, packed, depth, n, &product, n, m, n, seen, 1, 0)
            for row in 0..<m {
                var sum = 0.0
                for k in 0..<seen { sum += Double(a.element(row, k)) * Double(b.element(k, n - 1)) }
                #expect(abs(Double(product[row * n + n - 1]) - sum) < 1e-5)
            }
        }
    }

    @Test(
        "the bits of an element do not depend on which rows and columns are computed with it",
        arguments: Kernels.available
    )
    func tilesDoNotMatter(isa: String) {
        let kernels = dt_kernels_named(isa)!.pointee
        let scratch = FloatBuffer(count: kernels.product_scratch)
        let (m, n, depth) = (61, 75, 500)
        for transposedA in [false, true] {
            let a = Operand(rows: m, columns: depth, transposed: transposedA, item: 1)
            let b = Operand(rows: depth, columns: n, transposed: false, item: 2)
            var whole = [Float](repeating: 0, count: m * n)
            kernels.matrix_product(
                a.values,
                a.lead,
                transposedA,
                b.values,
                b.lead,
                false,
                &whole,
                n,
                m,
                n,
                depth,
                1,
                0,
                scratch.base
            )
            for (rows, columns) in [(7..<8, 3..<75), (10..<37, 40..<41), (0..<61, 17..<50)] {
                var part = [Float](repeating: 0, count: rows.count * columns.count)
                a.values.withUnsafeBufferPointer { a0 in
                    b.values.withUnsafeBufferPointer { b0 in
                        kernels.matrix_product(
                            a0.baseAddress! + (transposedA ? rows.lowerBound : rows.lowerBound * a.lead),
                            a.lead,
                            transposedA,
                            b0.baseAddress! + columns.lowerBound,
                            b.lead,
                            false,
                            &part,
                            columns.count,
                            rows.count,
                            columns.count,
                            depth,
                            1,
                            0,
                            scratch.base
                        )
                    }
                }
                for row in rows {
                    for column in columns {
                        let element = part[(row - rows.lowerBound) * columns.count + column - columns.lowerBound]
                        #expect(element == whole[row * n + column], "\(row), \(column)")
                    }
                }
            }
        }
    }
}
