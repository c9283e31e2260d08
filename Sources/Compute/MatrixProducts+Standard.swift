import Platform

#if canImport(Accelerate)
    import Accelerate
#else
    import COpenBLAS
#endif

// How products are computed where nothing else is asked for, and what a user can be told about it.
extension MatrixProducts {
    /// The fastest products of this processor; DDP_TRAIN_ISA and DDP_TRAIN_GEMM choose others.
    public static let standard: MatrixProducts = {
        let ownIsFaster = ["avx512", "avx2"].contains(Kernels.standard.instructionSet)
        let requested = request.flatMap { Implementation(rawValue: $0) }
        return MatrixProducts(kernels: .standard, implementation: requested ?? (ownIsFaster ? .own : .blas))
    }()

    /// The value of DDP_TRAIN_GEMM; nil when it is not set, or empty.
    private static var request: String? {
        ProcessEnvironment.value("DDP_TRAIN_GEMM").flatMap { $0.isEmpty ? nil : $0 }
    }

    /// What is wrong with DDP_TRAIN_GEMM and what it may be; nil when nothing is.
    public static var requestProblem: String? {
        guard let request, Implementation(rawValue: request) == nil else { return nil }
        return "DDP_TRAIN_GEMM=\(request): must be own or blas"
    }

    /// Confines BLAS to the calling thread (OpenBLAS would otherwise use threads of its own inside each worker) and corrects
    /// its choice of kernels. Call it before the first product; further calls do nothing.
    public static func prepare() {
        #if !canImport(Accelerate)
            OpenBLASSetup.once
        #endif
    }

    /// What computes the products, such as `own avx512` or `OpenBLAS SkylakeX`.
    public var description: String {
        implementation == .own ? "own \(kernels.instructionSet)" : Self.blasDescription
    }

    /// The BLAS that this build is linked with, such as `OpenBLAS SkylakeX`.
    public static var blasDescription: String {
        #if canImport(Accelerate)
            "Accelerate"
        #else
            "OpenBLAS \(String(cString: openblas_get_corename()))"
        #endif
    }
}
