import Collectives

/// Sends over every edge of the ring by itself, so that a slow one is known by its name.
package struct EdgeCheck: Equatable, Sendable {
    /// From a rank to the next one.
    package struct Edge: Equatable, Sendable {
        /// The rank that sends.
        package var from: Member
        /// The next one in the ring, which receives.
        package var to: Member
        /// Of the best message, by the receiver's clock.
        package var bytesPerSecond: Double

        /// What was measured from one rank to the next.
        package init(from: Member, to: Member, bytesPerSecond: Double) {
            self.from = from
            self.to = to
            self.bytesPerSecond = bytesPerSecond
        }
    }

    /// From each rank to the next, in order; the last leads to rank 0.
    package var edges: [Edge]
    /// Of a byte once round, by the number of edges.
    package var secondsPerEdge: Double

    /// What was measured; `run` does so.
    package init(edges: [Edge], secondsPerEdge: Double) {
        self.edges = edges
        self.secondsPerEdge = secondsPerEdge
    }

    private static let small = 1 << 20
    private static let large = 16 << 20
    /// Seconds that the small message takes at most where the large one is worth its time.
    private static let patience = 0.05

    /// Every rank calls it and returns the same.
    ///
    /// - Throws: `CollectiveError.failed`.
    package static func run(_ communicator: Communicator) throws -> EdgeCheck {
        let members = communicator.members
        let memory = CollectiveMemory(byteCount: large)
        let edges = try members.map { from in
            let to = members[(from.rank + 1) % members.count]
            /// - Returns: seconds at the rank that receives.
            func pass(_ count: Int) throws -> Double {
                try communicator.barrier()
                let start = ContinuousClock.now
                let bytes = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<count])
                try communicator.pass(unsafe: bytes, from: from.rank, owner: memory)
                communicator.board.worked()
                return try communicator.allGather([(ContinuousClock.now - start) / .seconds(1)])[to.rank][0]
            }
            // The first message warms up; where the second is slow there is no need for a larger one.
            _ = try pass(small)
            var (count, seconds) = (small, try pass(small))
            // What else the machines do slows a message, and never makes it faster: the best of three counts.
            if seconds < patience { (count, seconds) = (large, try (0..<3).map { _ in try pass(large) }.min()!) }
            return Edge(from: from, to: to, bytesPerSecond: Double(count) / seconds)
        }
        // A barrier is a byte round all edges but one.
        let rounds = try (0..<10).map { _ in
            let start = ContinuousClock.now
            try communicator.barrier()
            return (ContinuousClock.now - start) / .seconds(1)
        }
        let slowest = try communicator.allGather([rounds.min()!]).map { $0[0] }.max()!
        return EdgeCheck(edges: edges, secondsPerEdge: slowest / Double(members.count - 1))
    }
}
