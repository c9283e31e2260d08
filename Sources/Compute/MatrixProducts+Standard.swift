import Platform

#if canImport(Accelerate)
    import Accelerate
#else
    import COpenBLAS
#endif

// The default products, and the descriptions that a user sees.
extension MatrixProducts {
    /// The fastest products of this processor. DDP_TRAIN_ISA and DDP_TRAIN_GEMM override the choice.
    public static let standard: MatrixProducts = {
        let ownIsFaster = ["avx512", "avx2"].contains(Kernels.standard.instructionSet)
        let requested = request.flatMap { Implementation(rawValue: $0) }
        return MatrixProducts(kernels: .standard, implementation: requested ?? (ownIsFaster ? .own : .blas))
    }()

    /// The value of DDP_TRAIN_GEMM; nil if it is unset or empty.
    private static var request: String? {
        ProcessEnvironment.value("DDP_TRAIN_GEMM").flatMap { $0.isEmpty ? nil : $0 }
    }

    /// An error message if DDP_TRAIN_GEMM is neither `own` nor `blas`; otherwise nil.
    public static var requestProblem: String? {
        guard let request, Implementation(rawValue: request) == nil else { return nil }
        return "DDP_TRAIN_GEMM=\(request): must be own or blas"
    }

    /// Limits BLAS to the calling thread and corrects its selection of a kernel. Without this, OpenBLAS would start its
    /// own threads inside each worker. Call it before the first product; further calls do nothing.
    public static func prepare() {
        #if !canImport(Accelerate)
            OpenBLASSetup.once
        #endif
    }

    /// The library and kernels that compute the products, such as `own avx512` or `OpenBLAS SkylakeX`.
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
