#if canImport(Accelerate)
    import Accelerate
#else
    import COpenBLAS
#endif

/// How a matrix enters a product.
public enum Orientation {
    case plain
    case transposed
}

/// Single-precision matrix products by BLAS (OpenBLAS; Accelerate on macOS), each call on the calling thread alone.
///
/// Workers call it on tiles of fixed size, so results do not depend on how many of them there are.
public enum MatrixProduct {
    /// Confines BLAS to the calling thread (OpenBLAS would otherwise use threads of its own inside each worker) and mends
    /// its choice of kernels. To be called before the first product; further calls do nothing.
    public static func prepare() {
        #if !canImport(Accelerate)
            OpenBLASSetup.once
        #endif
    }

    /// What computes the products, such as `OpenBLAS SkylakeX`.
    public static var libraryDescription: String {
        #if canImport(Accelerate)
            "Accelerate"
        #else
            "OpenBLAS \(String(cString: openblas_get_corename()))"
        #endif
    }

    /// `c = scale * op(a) op(b) + keep * c`; op(a) is (m, k), op(b) is (k, n), c is (m, n).
    public static func multiply(
        _ a: MatrixView,
        _ orientationA: Orientation = .plain,
        _ b: MatrixView,
        _ orientationB: Orientation = .plain,
        into c: MatrixView,
        scale: Float = 1,
        keep: Float = 0
    ) {
        let (m, k) = orientationA == .plain ? (a.rows, a.columns) : (a.columns, a.rows)
        let (inner, n) = orientationB == .plain ? (b.rows, b.columns) : (b.columns, b.rows)
        precondition(
            k == inner && c.rows == m && c.columns == n,
            "(\(m), \(k)) times (\(inner), \(n)) into (\(c.rows), \(c.columns))"
        )
        guard m > 0, n > 0 else { return }
        cblas_sgemm(
            CblasRowMajor,
            orientationA == .plain ? CblasNoTrans : CblasTrans,
            orientationB == .plain ? CblasNoTrans : CblasTrans,
            .init(m),
            .init(n),
            .init(k),
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
}
