import Collectives
import Compute
import Platform
import Transformer

/// The copies of one model and its optimizer on all ranks: equal at the start, and looked at from time to time.
struct Replicas {
    let communicator: Communicator

    /// Gives every rank the parameters of rank 0, and with `moments` those too, and compares the result.
    ///
    /// - Throws: `JobError` when they differ afterwards; `CollectiveError.failed`.
    func spread(_ model: GPT, _ optimizer: AdamW, moments: Bool) throws {
        guard communicator.worldSize > 1 else { return }
        try communicator.broadcast(unsafe: UnsafeMutableRawBufferPointer(model.parameters.elements), owner: model)
        if moments {
            for values in [optimizer.firstMoments.elements, optimizer.secondMoments.elements] {
                try communicator.broadcast(unsafe: UnsafeMutableRawBufferPointer(values), owner: optimizer)
            }
        }
        try check(model, at: "the start")
    }

    /// Compares checksums of the parameters of all ranks.
    ///
    /// - Throws: `JobError` that names who differs from rank 0; `CollectiveError.failed`.
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
