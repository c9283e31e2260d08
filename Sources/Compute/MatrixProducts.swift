import CVectorKernels

#if canImport(Accelerate)
    import Accelerate
#else
    import COpenBLAS
#endif

/// How a matrix enters a product.
public enum Orientation: Sendable {
    case plain
    case transposed
}

/// How matrix products are computed. Each call runs on the calling thread alone.
///
/// Two libraries compute them. Our own kernels, on processors with AVX2 or AVX-512, are 10 to 25 % faster than OpenBLAS with a
/// factor that is packed once for many products (see `PackedMatrix`). They give an element the same bits whatever else a call
/// computes, so work may be cut to suit the number of workers. BLAS (OpenBLAS; Accelerate on macOS) computes the rest. Its tiles
/// have sizes that do not depend on the workers, so that results do not either.
public struct MatrixProducts: Sendable {
    /// The library that computes products; the raw values are those of DDP_TRAIN_GEMM.
    public enum Implementation: String, Sendable {
        /// Vector kernels of `CVectorKernels`.
        case own
        /// OpenBLAS, or Accelerate on macOS.
        case blas
    }

    /// The vector loops that our own products are made of.
    public let kernels: Kernels
    /// Which library computes.
    public let implementation: Implementation
    /// What elements of a packed factor are. Sums are always single precision.
    public let precision: PackedMatrix.Element

    /// Products by one library; `own` needs kernels of AVX2 or AVX-512 to be fast, but computes with any.
    public init(kernels: Kernels, implementation: Implementation, precision: PackedMatrix.Element = .float32) {
        self.kernels = kernels
        self.implementation = implementation
        self.precision = precision
    }

    /// Products of fewer rows than this go to BLAS: packing the other factor would cost more than the product. Not those with a
    /// transposed a: they are tiles of a weight's gradient, of which the last may have few rows for some number of workers.
    private static let minimumRows = 8

    /// `c = scale * op(a) op(b) + keep * c`; op(a) is (m, k), op(b) is (k, n), c is (m, n).
    ///
    /// - Parameter part: what the time is counted as while a `Profile` records.
    public func multiply(
        _ a: MatrixView,
        _ orientationA: Orientation = .plain,
        _ b: MatrixView,
        _ orientationB: Orientation = .plain,
        into c: MatrixView,
        scale: Float = 1,
        keep: Float = 0,
        part: Part = .other
    ) {
        let (m, k) = orientationA == .plain ? (a.rows, a.columns) : (a.columns, a.rows)
        let (inner, n) = orientationB == .plain ? (b.rows, b.columns) : (b.columns, b.rows)
        precondition(
            k == inner && c.rows == m && c.columns == n,
            "(\(m), \(k)) times (\(inner), \(n)) into (\(c.rows), \(c.columns))"
        )
        guard m > 0, n > 0 else { return }
        let usesOwnKernels = implementation == .own && k > 0 && (m >= Self.minimumRows || orientationA == .transposed)
        Profile.measure(part) {
            guard usesOwnKernels else {
                return Self.multiplyByBLAS(
                    a,
                    orientationA,
                    b,
                    orientationB,
                    into: c,
                    (m, n, k),
                    scale: scale,
                    keep: keep
                )
            }
            kernels.table.matrix_product(
                a.base,
                a.stride,
                orientationA == .transposed,
                b.base,
                b.stride,
                orientationB == .transposed,
                c.base,
                c.stride,
                m,
                n,
                k,
                scale,
                keep,
                ProductScratch.threadLocal
            )
        }
    }

    private static func multiplyByBLAS(
        _ a: MatrixView,
        _ orientationA: Orientation,
        _ b: MatrixView,
        _ orientationB: Orientation,
        into c: MatrixView,
        _ shape: (m: Int, n: Int, k: Int),
        scale: Float,
        keep: Float
    ) {
        cblas_sgemm(
            CblasRowMajor,
            orientationA == .plain ? CblasNoTrans : CblasTrans,
            orientationB == .plain ? CblasNoTrans : CblasTrans,
            .init(shape.m),
            .init(shape.n),
            .init(shape.k),
            scale,
            a.base,
            .init(a.stride),
            b.base,
            .init(b.stride),
            keep,
            c.base,
            .init(c.stride)
        )
    }

    /// The same with a packed b. The shapes of c and a say how much of it is used, from its beginning.
    public func multiply(
        _ a: MatrixView,
        _ b: PackedMatrix,
        into c: MatrixView,
        scale: Float = 1,
        keep: Float = 0,
        part: Part = .other
    ) {
        let (m, k, n) = (a.rows, a.columns, c.columns)
        precondition(
            k <= b.depth && n <= b.columns && c.rows == m,
            "(\(m), \(k)) times (\(b.depth), \(b.columns)) into (\(c.rows), \(n))"
        )
        guard m > 0, n > 0 else { return }
        precondition(k > 0, "a product of depth 0")
        guard b.isPacked else {
            let used = b.used(depth: k, columns: n)
            return multiply(a, .plain, used, b.orientation, into: c, scale: scale, keep: keep, part: part)
        }
        Profile.measure(part) {
            kernels.table.packed_product(
                a.base,
                a.stride,
                b.memory,
                b.depth,
                b.columns,
                c.base,
                c.stride,
                m,
                n,
                k,
                scale,
                keep
            )
        }
    }
}
