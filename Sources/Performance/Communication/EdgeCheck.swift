import Collectives

/// Measures the speed of each edge of the ring separately, to find slow links.
package struct EdgeCheck: Equatable, Sendable {
    /// A link from a rank to the next rank in the ring.
    package struct Edge: Equatable, Sendable {
        /// The rank that sends.
        package var from: Member
        /// The rank that receives.
        package var to: Member
        /// The speed of the fastest message, by the receiver's clock.
        package var bytesPerSecond: Double

        package init(from: Member, to: Member, bytesPerSecond: Double) {
            self.from = from
            self.to = to
            self.bytesPerSecond = bytesPerSecond
        }
    }

    /// Indexed by the sending rank. The last edge leads to rank 0.
    package var edges: [Edge]
    /// The time of a barrier divided by the number of edges that it crosses.
    package var secondsPerEdge: Double

    package init(edges: [Edge], secondsPerEdge: Double) {
        self.edges = edges
        self.secondsPerEdge = secondsPerEdge
    }

    /// The sizes of the messages, in bytes.
    private static let smallSize = 1 << 20
    private static let largeSize = 16 << 20
    /// If the small message takes longer, in seconds, the large one is not sent.
    private static let maximumSmallSeconds = 0.05

    /// Measures all edges. Every rank must call this and gets the same result.
    ///
    /// - Throws: `CollectiveError.failed` if communication fails.
    package static func run(_ communicator: Communicator) throws -> EdgeCheck {
        let members = communicator.members
        let memory = CollectiveMemory(byteCount: largeSize)
        let edges = try members.map { from in
            let to = members[(from.rank + 1) % members.count]
            /// - Returns: the seconds measured by the receiving rank.
            func pass(_ count: Int) throws -> Double {
                try communicator.barrier()
                let start = ContinuousClock.now
                let bytes = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<count])
                try communicator.pass(unsafe: bytes, from: from.rank, owner: memory)
                communicator.board.worked()
                return try communicator.allGather([(ContinuousClock.now - start) / .seconds(1)])[to.rank][0]
            }
            // The first message warms up. If the second is slow, a larger one would not be more accurate.
            _ = try pass(smallSize)
            var (count, seconds) = (smallSize, try pass(smallSize))
            // Other load can only slow a message down, so take the fastest of three.
            if seconds < maximumSmallSeconds {
                (count, seconds) = (largeSize, try (0..<3).map { _ in try pass(largeSize) }.min()!)
            }
            return Edge(from: from, to: to, bytesPerSecond: Double(count) / seconds)
        }
        // A barrier sends one byte over all edges except one.
        let rounds = try (0..<10).map { _ in
            let start = ContinuousClock.now
            try communicator.barrier()
            return (ContinuousClock.now - start) / .seconds(1)
        }
        let slowest = try communicator.allGather([rounds.min()!]).map { $0[0] }.max()!
        return EdgeCheck(edges: edges, secondsPerEdge: slowest / Double(members.count - 1))
    }
}
