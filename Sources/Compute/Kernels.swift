import CVectorKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The vector loops of the instruction set chosen for this process (see CVectorKernels.h for what each one computes).
public enum Kernels {
    /// The table in use; the plain one where DDP_TRAIN_ISA asks for what is not there (see `requestProblem`).
    /// Function pointers that are set once and never change, hence safe to share.
    nonisolated(unsafe) public static let table: dt_kernels =
        (dt_kernels_get() ?? dt_kernels_named("plain")!).pointee

    /// `avx512`, `avx2`, `neon` or `plain`.
    public static var instructionSet: String { String(cString: table.isa) }

    /// The instruction sets that this build and processor have, the fastest first.
    public static var available: [String] {
        ["avx512", "avx2", "plain"].filter { (name: String) in dt_kernels_named(name) != nil }
    }

    /// What is wrong with DDP_TRAIN_ISA and what it may be; nil when nothing is.
    public static var requestProblem: String? {
        guard dt_kernels_get() == nil, let request = getenv("DDP_TRAIN_ISA") else { return nil }
        return "DDP_TRAIN_ISA=\(String(cString: request)): this processor has \(available.joined(separator: ", "))"
    }
}
