import Collectives
import Compute
import Platform
import Transformer

/// Keeps the copies of a model and its optimizer on all ranks equal: rank 0's are sent at the start, and checked later.
struct Replicas {
    let communicator: Communicator

    /// Sends the parameters of rank 0, and the state of its optimizer, to every rank, and compares the parameters.
    ///
    /// - Parameter state: nil before the first update, when it is zero on every rank.
    /// - Throws: `JobError` when they differ afterwards; `CollectiveError.failed`.
    func spread(_ model: GPT, _ state: OptimizerState?) throws {
        guard communicator.worldSize > 1 else { return }
        try communicator.broadcast(unsafe: UnsafeMutableRawBufferPointer(model.parameters.elements), owner: model)
        for slot in state?.slots ?? [] {
            for range in slot.ranges {
                let values = UnsafeMutableBufferPointer(rebasing: slot.values.elements[range])
                try communicator.broadcast(unsafe: UnsafeMutableRawBufferPointer(values), owner: slot)
            }
        }
        try check(model, at: "the start")
    }

    /// Compares checksums of the parameters of all ranks.
    ///
    /// - Throws: `JobError` that names the ranks that differ from rank 0; `CollectiveError.failed`.
    func check(_ model: GPT, at moment: String) throws {
        guard communicator.worldSize > 1 else { return }
        let own = VectorOperations.checksum(UnsafeBufferPointer(model.parameters.elements), pool: model.pool)
        let all = try communicator.allGather([own]).map { $0[0] }
        let others = all.indices.filter { all[$0] != all[0] }
        guard !others.isEmpty else { return }
        let names = others.map { "\(communicator.members[$0])" }.joined(separator: ", ")
        throw communicator.common(
            UserError(
                .other,
                """
                at \(moment) the parameters of \(names) differ from those of \(communicator.members[0]): a machine or its \
                memory is at fault; check them, then go on from the last checkpoint with --init_from=resume
                """
            )
        )
    }
}
