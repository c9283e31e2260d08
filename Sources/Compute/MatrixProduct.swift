import CVectorKernels
import Platform

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

/// Single-precision matrix products, each call on the calling thread alone.
///
/// Two libraries compute them. Our own kernels, on processors with AVX2 or AVX-512, are 10 to 25 % faster than OpenBLAS with
/// a factor that is packed once for many products (see PackedMatrix), and an element has the same bits whatever else a call
/// computes, so that work may be cut to suit the number of workers. BLAS (OpenBLAS; Accelerate on macOS) computes the rest;
/// there, tiles have sizes that do not depend on the workers, so that results do not either.
public enum MatrixProduct {
    /// Who computes products; the raw values are those of DDP_TRAIN_GEMM.
    public enum Implementation: String, Sendable {
        /// Vector kernels of `CVectorKernels`.
        case own
        /// OpenBLAS, or Accelerate on macOS.
        case blas
    }

    /// What DDP_TRAIN_GEMM asks for; nil when it is not set, or empty.
    private static var request: String? {
        ProcessEnvironment.value("DDP_TRAIN_GEMM").flatMap { $0.isEmpty ? nil : $0 }
    }

    /// What is wrong with DDP_TRAIN_GEMM and what it may be; nil when nothing is.
    public static var requestProblem: String? {
        guard let request, Implementation(rawValue: request) == nil else { return nil }
        return "DDP_TRAIN_GEMM=\(request): must be own or blas"
    }

    /// What computes products; DDP_TRAIN_GEMM=own or blas forces one.
    public static let implementation: Implementation = {
        if let forced = request.flatMap({ Implementation(rawValue: $0) }) { return forced }
        return ["avx512", "avx2"].contains(Kernels.instructionSet) ? .own : .blas
    }()

    /// Confines BLAS to the calling thread (OpenBLAS would otherwise use threads of its own inside each worker) and mends
    /// its choice of kernels. To be called before the first product; further calls do nothing.
    public static func prepare() {
        #if !canImport(Accelerate)
            OpenBLASSetup.once
        #endif
    }

    /// What computes the products, such as `own avx512` or `OpenBLAS SkylakeX`.
    public static var implementationDescription: String {
        implementation == .own ? "own \(Kernels.instructionSet)" : blasDescription
    }

    /// The BLAS that this build is linked with, such as `OpenBLAS SkylakeX`.
    public static var blasDescription: String {
        #if canImport(Accelerate)
            "Accelerate"
        #else
            "OpenBLAS \(String(cString: openblas_get_corename()))"
        #endif
    }

    /// Products of fewer rows than this go to BLAS: packing the other factor would cost more than the product. Not those with a
    /// transposed a: they are tiles of a weight's gradient, of which the last may have few rows for some number of workers.
    private static let fewestRows = 8

    /// `c = scale * op(a) op(b) + keep * c`; op(a) is (m, k), op(b) is (k, n), c is (m, n).
    /// - Parameter implementation: what computes it, if not what is the rule.
    public static func multiply(
        _ a: MatrixView,
        _ orientationA: Orientation = .plain,
        _ b: MatrixView,
        _ orientationB: Orientation = .plain,
        into c: MatrixView,
        scale: Float = 1,
        keep: Float = 0,
        part: Part = .other,
        by implementation: Implementation? = nil
    ) {
        let (m, k) = orientationA == .plain ? (a.rows, a.columns) : (a.columns, a.rows)
        let (inner, n) = orientationB == .plain ? (b.rows, b.columns) : (b.columns, b.rows)
        precondition(
            k == inner && c.rows == m && c.columns == n,
            "(\(m), \(k)) times (\(inner), \(n)) into (\(c.rows), \(c.columns))"
        )
        guard m > 0, n > 0 else { return }
        let rule: Implementation = m >= fewestRows || orientationA == .transposed ? self.implementation : .blas
        Profile.measure(part) {
            guard implementation ?? rule == .own, k > 0 else {
                return cblas_sgemm(
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
            Kernels.table.matrix_product(
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
                ProductScratch.ofThread
            )
        }
    }

    /// The same with a packed b, of which c's columns and a's depth say how much is used, from its beginning.
    public static func multiply(
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
        guard implementation == .own else {
            return multiply(
                a,
                .plain,
                b.used(depth: k, columns: n),
                b.orientation,
                into: c,
                scale: scale,
                keep: keep,
                part: part
            )
        }
        Profile.measure(part) {
            Kernels.table.packed_product(
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
