import Collectives
import Compute
import Datasets
import Platform

/// Checks the token ids of a dataset, by one rank per machine for all ranks on it.
enum SharedTokenCheck {
    /// - Parameter progress: called with the share that is done, if this rank reads.
    /// - Throws: on every rank, the first error that a rank found; `CollectiveError.failed`.
    static func run(
        _ dataset: Dataset,
        pool: WorkerPool,
        communicator: Communicator,
        progress: (Double) -> Void
    ) throws {
        let hosts = communicator.members.map(\.host)
        var found: UserError?
        if communicator.worldSize == 1 || hosts.firstIndex(of: hosts[communicator.rank]) == communicator.rank {
            do {
                _ = try TokenCheck(dataset, pool: pool, progress: progress)
            } catch let error as UserError {
                found = error
            }
        }
        try communicator.agree(on: found)
    }
}
