import CVectorKernels

/// The vector loops of the instruction set chosen for this process (see CVectorKernels.h for what each one computes).
public enum Kernels {
    /// The table in use. A wrong DDP_TRAIN_ISA is reported by `unsupportedRequest`; the best table is used meanwhile.
    /// Function pointers that are set once and never change, hence safe to share.
    nonisolated(unsafe) public static let table: dt_kernels =
        (dt_kernels_get() ?? dt_kernels_named("plain")!).pointee

    /// `avx512`, `avx2`, `neon` or `plain`.
    public static var instructionSet: String { String(cString: table.isa) }

    /// The fastest instruction set that this processor has, whatever DDP_TRAIN_ISA says.
    static var bestInstructionSet: String {
        ["avx512", "avx2"].first { (name: String) in dt_kernels_named(name) != nil } ?? "plain"
    }

    /// Whether DDP_TRAIN_ISA names an instruction set that this build or processor lacks.
    public static var unsupportedRequest: Bool { dt_kernels_get() == nil }
}
