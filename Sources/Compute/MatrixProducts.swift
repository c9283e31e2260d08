import CVectorKernels

#if canImport(Accelerate)
    import Accelerate
#else
    import COpenBLAS
#endif

/// Whether a product uses a matrix or its transpose.
public enum Orientation: Sendable {
    case plain
    case transposed
}

/// Matrix products. Each call runs on the calling thread only.
///
/// One of two libraries computes them:
/// - Our own kernels, for AVX2 and AVX-512. They are 10 to 25 % faster than OpenBLAS when one factor is packed once for
///   many products (see `PackedMatrix`). Each element has the same bits whatever else a call computes, so work can be
///   split to suit the number of workers.
/// - BLAS (OpenBLAS, or Accelerate on macOS), for other processors. Its tile sizes do not depend on the number of
///   workers, so its results do not either.
public struct MatrixProducts: Sendable {
    /// The library that computes products. The raw values are those of DDP_TRAIN_GEMM.
    public enum Implementation: String, Sendable {
        /// The vector kernels of `CVectorKernels`.
        case own
        /// OpenBLAS, or Accelerate on macOS.
        case blas
    }

    /// The vector kernels that compute our own products.
    public let kernels: Kernels
    /// The library that computes the products.
    public let implementation: Implementation
    /// The element type of a packed factor. Sums are always in single precision.
    public let precision: PackedMatrix.Element

    /// Creates products that one library computes. `own` works with any kernels, but is fast only with AVX2 and
    /// AVX-512.
    public init(kernels: Kernels, implementation: Implementation, precision: PackedMatrix.Element = .float32) {
        self.kernels = kernels
        self.implementation = implementation
        self.precision = precision
    }

    /// Products with fewer rows go to BLAS, because packing the other factor would take longer than the product. The
    /// limit does not apply to a transposed a: such a product is a tile of a weight's gradient, and the last tile may
    /// have few rows for some numbers of workers.
    private static let minimumRows = 8

    /// Computes `c = scale * op(a) op(b) + keep * c`, where op(a) is (m, k), op(b) is (k, n) and c is (m, n).
    ///
    /// The shapes must match; a mismatch stops the program.
    ///
    /// - Parameters:
    ///   - a: the left factor.
    ///   - orientationA: whether op(a) is a or its transpose.
    ///   - b: the right factor.
    ///   - orientationB: whether op(b) is b or its transpose.
    ///   - c: the result, which must not overlap the factors.
    ///   - scale: the factor of the product.
    ///   - keep: the factor of the previous c; 0 overwrites c without reading it.
    ///   - part: the part that a recording `Profile` counts the time as.
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

    /// Computes `c = scale * a b + keep * c` with a packed b. The product uses the first rows and columns of b, as many
    /// as the shapes of a and c need.
    ///
    /// - Parameters:
    ///   - a: the left factor, (m, k).
    ///   - b: the packed factor, with at least k rows and n columns.
    ///   - c: the result, (m, n), which must not overlap the factors.
    ///   - scale: the factor of the product.
    ///   - keep: the factor of the previous c; 0 overwrites c without reading it.
    ///   - part: the part that a recording `Profile` counts the time as.
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
        precondition(k > 0, "a packed product needs a depth of at least 1, not 0")
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
