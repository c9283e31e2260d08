import Collectives
import Compute
import Platform
import Text

/// The check of a data set's ids, by one rank of each machine for all that run there.
enum SharedTokenCheck {
    /// - Parameter progress: told the share that is done, where this rank reads.
    /// - Throws: on every rank alike, what the first rank found that found something; `CollectiveError.failed`.
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
        let messages = try communicator.allGather(message: Array((found?.message ?? "").utf8))
        guard let message = messages.first(where: { !$0.isEmpty }) else { return }
        throw communicator.common(UserError(found?.kind ?? .data, String(decoding: message, as: UTF8.self)))
    }
}
