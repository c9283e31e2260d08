import CMPIShim
import Platform

/// The MPI that this program was built with, if any. Nothing here starts MPI.
public enum MPILibrary {
    /// Whether the build found MPI.
    public static var isBuiltIn: Bool { dt_mpi_built_in() }

    /// What the linked library calls itself, such as `Open MPI v4.1.4`; nil where MPI is not built in.
    public static var version: String? { text { dt_mpi_library_version($0, $1) }.map(shortVersion) }

    /// How a program without MPI comes to it.
    public static let installation =
        "apt-get install libopenmpi-dev openmpi-bin (dnf: openmpi-devel, brew: open-mpi), then swift build again"

    /// The name and version out of what may be a paragraph: `Open MPI v4.1.4, package: …` or `MPICH Version:   4.0.2\n…`.
    static func shortVersion(_ text: String) -> String {
        let first = text.split { $0 == "," || $0.isNewline }.first ?? ""
        return first.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            .replacing(" Version: ", with: " ")
    }

    /// What a status of the shim means, in one line.
    static func errorText(_ status: Int32) -> String {
        text { size, capacity in
            dt_mpi_error_text(status, size, capacity)
            return 0
        }!
    }

    /// The text that `fill` writes into a buffer; nil when it returns a failure.
    private static func text(_ fill: (UnsafeMutablePointer<CChar>, Int32) -> Int32) -> String? {
        // MPI's longest version has 8192 characters in one library, 256 in another.
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 8192) { buffer in
            buffer.initialize(repeating: 0)
            guard fill(buffer.baseAddress!, Int32(buffer.count)) == 0 else { return nil }
            return String(cString: buffer.baseAddress!)
        }
    }
}
