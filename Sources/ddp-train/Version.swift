import Collectives
import Compute
import Preparation

/// What this program is: its number, the commit it was built from, and what was built in.
enum Version {
    static let number = "0.1.0"

    /// Number and commit, such as `0.1.0 (1b71f5b4c2)`: what all ranks of a job have in common. A commit with changes that are in
    /// none ends in `-dirty`; outside of a repository there is only the number.
    static var program: String { buildCommit.isEmpty ? number : "\(number) (\(buildCommit))" }

    /// For `--version`.
    static var text: String {
        """
        ddp-train \(program)
        kernels: \(Kernels.standard.instructionSet), of \(Kernels.available.joined(separator: ", "))
        matrix products: \(MatrixProducts.standard.description); linked with \(BLASDescription.build.split(separator: " ").prefix(2).joined(separator: " "))
        between ranks: tcp\(MPILibrary.version.map { ", mpi (\($0))" } ?? "; built without mpi")
        archives: \(DataPreparation.readsArchives ? "gzip, xz, zstd, tar and others (libarchive, zlib)" : "built without libarchive")
        """
    }
}
