import Collectives
import Compute

/// The number of threads of a rank: its share of the cores that the ranks of its machine may run on.
public struct ThreadShare {
    /// Worker threads of this rank, at least 1.
    public let threads: Int
    /// Ranks on this machine, this one included.
    let localRanks: Int
    /// A warning for the user; nil if there is none.
    let warning: String?

    /// - Parameter asked: the number of threads; 0 for a share of the cores.
    /// - Throws: `CollectiveError.failed`.
    public init(asked: Int, communicator: Communicator) throws {
        let cores = Processors.allowedCores ?? Array(0..<Processors.available)
        guard communicator.worldSize > 1 else {
            self.init(asked: asked, own: cores, neighbours: [cores], quota: Processors.quota)
            return
        }
        let host = communicator.members[communicator.rank].host
        let text = cores.map { String($0) }.joined(separator: ",")
        let all = try communicator.allGather(message: Array(text.utf8))
        let neighbours = communicator.members.filter { $0.host == host }.map { member in
            String(decoding: all[member.rank], as: UTF8.self).split(separator: ",").compactMap { Int($0) }
        }
        self.init(asked: asked, own: cores, neighbours: neighbours, quota: Processors.quota)
    }

    /// - Parameters:
    ///   - own: the cores that this rank may run on.
    ///   - neighbours: those of each rank of this machine, this one among them.
    ///   - quota: cores that a container grants to all of them; nil for no limit.
    init(asked: Int, own: [Int], neighbours: [[Int]], quota: Int?) {
        // A core that k ranks may use counts as 1/k of one for each.
        let fair = own.reduce(0.0) { sum, core in
            sum + 1 / Double(max(1, neighbours.filter { $0.contains(core) }.count))
        }
        let granted = quota.map { Double($0) / Double(neighbours.count) } ?? .infinity
        // A sum of thirds may fall just short of a whole.
        let share = max(1, Int(min(fair, granted) + 1e-6))
        let threads = asked == 0 ? share : asked
        self.threads = threads
        localRanks = neighbours.count
        warning =
            threads > own.count
            ? "warning: \(threads) threads, but this rank is bound to \(own.count) "
                + "\(own.count == 1 ? "core" : "cores"): start mpirun with --bind-to none or --map-by slot:PE=\(threads), or lower --threads"
            : nil
    }
}
