import Collectives
import Compute
import Platform
import Training

/// Times the all-reduce of the ranks of a job, size by size, over one or several ways in turn.
public struct AllReduceBenchmark {
    /// One size over one way.
    public struct Result: Equatable, Sendable {
        /// Bytes of the sum, on each rank.
        public var bytes: Int
        /// Of the slowest rank, a repetition each.
        public var seconds: Spread

        /// For one size.
        public init(bytes: Int, seconds: Spread) {
            self.bytes = bytes
            self.seconds = seconds
        }

        /// Bytes a second that each rank sends and receives, `bytes * 2 (n - 1) / n / time`, as NCCL's tests count it, at the
        /// best repetition.
        public func busBandwidth(worldSize: Int) -> Double {
            2 * Double(worldSize - 1) / Double(worldSize) * Double(bytes) / seconds.minimum
        }
    }

    /// Bytes of each sum, whole numbers of floats.
    public var sizes: [Int]
    /// Timed sums of each size.
    public var repetitions: Int

    /// - Parameters:
    ///   - sizes: bytes of each sum, whole numbers of floats.
    ///   - repetitions: timed ones for each size, after one that is not.
    public init(sizes: [Int], repetitions: Int) {
        precondition(sizes.allSatisfy { $0 > 0 && $0 % 4 == 0 } && repetitions > 0)
        self.sizes = sizes
        self.repetitions = repetitions
    }

    /// Every rank calls it with the same ways and returns the same: for each way, a result for each size.
    ///
    /// - Parameter ways: of one job. They take turns, so that what else the machine does hits all alike.
    /// - Throws: `UserError(.other)` when a sum is wrong; `CollectiveError.failed`.
    public func run(_ ways: [Communicator], progress: (Int) -> Void = { _ in }) throws -> [[Result]] {
        try ways[0].board.during(.computing, .computing) { try measure(ways, ways[0].board, progress) }
    }

    private func measure(
        _ ways: [Communicator],
        _ board: ProgressBoard,
        _ progress: (Int) -> Void
    ) throws -> [[Result]] {
        let floats = Floats(count: sizes.max()! / 4)
        var results = [[Result]](repeating: [], count: ways.count)
        for bytes in sizes {
            progress(bytes)
            var seconds = [[Double]](repeating: [], count: ways.count)
            for repetition in 0...repetitions {
                for (index, way) in ways.enumerated() {
                    let own = try sum(bytes, over: way, floats)
                    board.worked()
                    let slowest = try ways[0].allGather([own]).map { $0[0] }.max()!
                    if repetition > 0 { seconds[index].append(slowest) }
                }
            }
            for index in ways.indices {
                results[index].append(Result(bytes: bytes, seconds: Spread(seconds[index])))
            }
        }
        return results
    }

    /// - Returns: this rank's seconds.
    private func sum(_ bytes: Int, over way: Communicator, _ floats: Floats) throws -> Double {
        let count = bytes / 4
        floats.buffer.base.update(repeating: Float(way.rank + 1), count: count)
        try way.barrier()
        let start = ContinuousClock.now
        way.startAllReduce(unsafe: floats.buffer.base, range: 0..<count, owner: floats)
        try way.wait()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        // Whole numbers as small as these are summed without rounding.
        let expected = Float(way.worldSize * (way.worldSize + 1) / 2)
        guard floats.buffer.elements[..<count].allSatisfy({ $0 == expected }) else {
            throw UserError(.other, "a sum of \(bytes) bytes over \(way.worldSize) ranks is wrong")
        }
        return seconds
    }

    private final class Floats {
        let buffer: FloatBuffer

        init(count: Int) { buffer = FloatBuffer(count: count) }
    }
}
