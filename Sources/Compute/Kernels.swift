import CVectorKernels
import Platform

/// The vector kernels of one instruction set. CVectorKernels.h documents each kernel.
///
/// ```swift
/// Kernels.standard.table.add(y, x, count)                    // this processor's, or the set that DDP_TRAIN_ISA names
/// Kernels(instructionSet: "plain")?.table.add(y, x, count)
/// ```
public struct Kernels: Sendable {
    @usableFromInline nonisolated(unsafe) let plainTable: UnsafePointer<dt_kernels>
    @usableFromInline nonisolated(unsafe) let recordingTable: UnsafePointer<dt_kernels>

    /// The table of kernels. While a `Profile` records, the standard set's kernels also record their time.
    @inlinable
    public var table: dt_kernels {
        @inline(__always) get { (dt_profile_is_on() ? recordingTable : plainTable).pointee }
    }

    /// The name of the instruction set: `avx512`, `avx2`, `neon` or `plain`.
    public var instructionSet: String { String(cString: plainTable.pointee.isa) }

    /// Finds the kernels of an instruction set by name; nil if this build or processor does not have it.
    public init?(instructionSet: String) {
        guard let table = dt_kernels_named(instructionSet) else { return nil }
        // Only one table can record, and that is the standard one.
        let isStandard = table == Self.standard.plainTable
        self.init(table, recording: isStandard ? Self.standard.recordingTable : table)
    }

    private init(_ table: UnsafePointer<dt_kernels>, recording: UnsafePointer<dt_kernels>) {
        plainTable = table
        recordingTable = recording
    }

    /// The fastest set of this processor, or the one that DDP_TRAIN_ISA names. If the variable names a set that this
    /// processor does not have, this is `plain` (see `requestProblem`).
    public static let standard: Kernels = {
        let table = dt_kernels_get() ?? dt_kernels_named("plain")!
        let recording = UnsafeMutablePointer<dt_kernels>.allocate(capacity: 1)
        recording.initialize(to: dt_kernels_recording(table))
        return Kernels(table, recording: recording)
    }()

    /// The instruction sets that this build and processor support, fastest first.
    public static var available: [String] {
        ["avx512", "avx2", "plain"].compactMap { (name: String) in
            dt_kernels_named(name).map { String(cString: $0.pointee.isa) }
        }
    }

    /// An error message if DDP_TRAIN_ISA names a set that this processor does not have; otherwise nil.
    public static var requestProblem: String? {
        guard dt_kernels_get() == nil, let request = ProcessEnvironment.value("DDP_TRAIN_ISA") else { return nil }
        return
            "DDP_TRAIN_ISA=\(request): must be one that this processor supports: \(available.joined(separator: ", "))"
    }
}
