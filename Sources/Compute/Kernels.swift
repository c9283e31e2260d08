import CVectorKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The vector loops of the instruction set chosen for this process (see CVectorKernels.h for what each one computes).
public enum Kernels {
    /// The table in use; the plain one where DDP_TRAIN_ISA asks for what is not there (see `requestProblem`).
    @inlinable
    public static var table: dt_kernels {
        @inline(__always) get { current.pointee }
    }

    /// Function pointers that never change, but that a `Profile` exchanges them for ones that record themselves and do the
    /// same: a thread that reads an entry meanwhile finds the one or the other, hence safe to share. In memory of their own,
    /// as Swift would guard every access to a variable.
    @usableFromInline
    nonisolated(unsafe) static let current: UnsafeMutablePointer<dt_kernels> = {
        let current = UnsafeMutablePointer<dt_kernels>.allocate(capacity: 1)
        current.initialize(to: chosen.pointee)
        return current
    }()

    nonisolated(unsafe) private static let chosen: UnsafePointer<dt_kernels> =
        dt_kernels_get() ?? dt_kernels_named("plain")!

    /// Exchanges the vector loops for ones that record the time they take, or back.
    static func record(_ isRecording: Bool) {
        current.pointee = isRecording ? dt_kernels_recording(chosen) : chosen.pointee
    }

    /// `avx512`, `avx2`, `neon` or `plain`.
    public static var instructionSet: String { String(cString: table.isa) }

    /// The instruction sets that this build and processor have, the fastest first.
    public static var available: [String] {
        ["avx512", "avx2", "plain"].compactMap { (name: String) in
            dt_kernels_named(name).map { String(cString: $0.pointee.isa) }
        }
    }

    /// What is wrong with DDP_TRAIN_ISA and what it may be; nil when nothing is.
    public static var requestProblem: String? {
        guard dt_kernels_get() == nil, let request = getenv("DDP_TRAIN_ISA") else { return nil }
        return "DDP_TRAIN_ISA=\(String(cString: request)): this processor has \(available.joined(separator: ", "))"
    }
}
