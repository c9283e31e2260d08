import CVectorKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The vector loops of the instruction set chosen for this process (see CVectorKernels.h for what each one computes).
public enum Kernels {
    /// The table in use; the plain one where DDP_TRAIN_ISA asks for what is not there (see `requestProblem`).
    ///
    /// Function pointers that never change, but that a `Profile` exchanges them for ones that record themselves and do the
    /// same. A thread that reads an entry meanwhile finds the one or the other, hence it is safe to share.
    nonisolated(unsafe) public internal(set) static var table = plainTable

    /// The table without recording.
    nonisolated(unsafe) private static let plainTable: dt_kernels =
        (dt_kernels_get() ?? dt_kernels_named("plain")!).pointee

    /// The same loops, recording the time they take.
    nonisolated(unsafe) private static let recordingTable: dt_kernels =
        withUnsafePointer(to: plainTable) { dt_kernels_recording($0) }

    static func record(_ isRecording: Bool) {
        table = isRecording ? recordingTable : plainTable
    }

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
