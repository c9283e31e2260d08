import CVectorKernels
import Platform
import Synchronization

/// The vector loops of the instruction set chosen for this process (see CVectorKernels.h for what each one computes).
public enum Kernels {
    /// The table in use; the plain one where DDP_TRAIN_ISA asks for what is not there (see `requestProblem`).
    @inlinable
    public static var table: dt_kernels {
        @inline(__always) get { current.load(ordering: .relaxed).pointee }
    }

    /// One of the two tables, which never change: both are there before anyone can ask for the one in use, so threads
    /// that read it while a `Profile` exchanges it find the one or the other, and whole.
    @usableFromInline
    nonisolated(unsafe) static let current = Atomic(tables.real)

    nonisolated(unsafe) private static let tables:
        (real: UnsafePointer<dt_kernels>, recording: UnsafePointer<dt_kernels>) = {
            let real = dt_kernels_get() ?? dt_kernels_named("plain")!
            let recording = UnsafeMutablePointer<dt_kernels>.allocate(capacity: 1)
            recording.initialize(to: dt_kernels_recording(real))
            return (real, UnsafePointer(recording))
        }()

    /// Exchanges the vector loops for ones that record the time they take, or back.
    static func record(_ isRecording: Bool) {
        current.store(isRecording ? tables.recording : tables.real, ordering: .relaxed)
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
