import Collectives
import Compute
import Platform
import Training

/// Times the all-reduce of the ranks of a job, size by size and as a run sums its gradient, over one or several ways in turn.
package struct AllReduceBenchmark {
    /// One size, or a run's gradient, over one way.
    package struct Result: Equatable, Sendable {
        /// Bytes of the sum, on each rank.
        package var bytes: Int
        /// Of the slowest rank, a repetition each.
        package var seconds: Spread

        /// For one size.
        package init(bytes: Int, seconds: Spread) {
            self.bytes = bytes
            self.seconds = seconds
        }

        /// Bytes a second that each rank sends and receives, `bytes * 2 (n - 1) / n / time`, as NCCL's tests count it, at the
        /// best repetition.
        package func busBandwidth(worldSize: Int) -> Double {
            2 * Double(worldSize - 1) / Double(worldSize) * Double(bytes) / seconds.minimum
        }
    }

    /// What one way took.
    package struct Results: Sendable {
        /// One for each size, in order.
        package var sizes: [Result]
        /// For the gradient.
        package var gradient: Result

        /// Of one way.
        package init(sizes: [Result], gradient: Result) {
            self.sizes = sizes
            self.gradient = gradient
        }
    }

    /// Bytes of each sum, whole numbers of floats.
    package var sizes: [Int]
    /// Buckets of a run's gradient, which are begun one after the other and waited for together, as a run does it: the memory is
    /// in no cache, and the next bucket waits while one is summed.
    package var gradient: [Range<Int>]
    /// Timed sums of each size.
    package var repetitions: Int

    /// - Parameters:
    ///   - sizes: bytes of each sum, whole numbers of floats.
    ///   - gradient: buckets of a run's gradient, at least one, as floats of one buffer.
    ///   - repetitions: timed ones for each size, after one that is not.
    package init(sizes: [Int], gradient: [Range<Int>], repetitions: Int) {
        precondition(sizes.allSatisfy { $0 > 0 && $0 % 4 == 0 } && !gradient.isEmpty && repetitions > 0)
        self.sizes = sizes
        self.gradient = gradient
        self.repetitions = repetitions
    }

    /// Every rank calls it with the same ways and returns the same: what each way took.
    ///
    /// - Parameters:
    ///   - ways: of one job. They take turns, so that what else the machine does hits all alike.
    ///   - progress: called with the bytes that are summed next.
    /// - Throws: `UserError(.other)` when a sum is wrong; `CollectiveError.failed`.
    package func run(_ ways: [Communicator], progress: (Int) -> Void = { _ in }) throws -> [Results] {
        try ways[0].board.during(.computing, .computing) { try measure(ways, ways[0].board, progress) }
    }

    private func measure(
        _ ways: [Communicator],
        _ board: ProgressBoard,
        _ progress: (Int) -> Void
    ) throws -> [Results] {
        let sums = sizes.map { [0..<$0 / 4] } + [gradient]
        let floats = Floats(count: sums.joined().map(\.upperBound).max()!)
        var results = [[Result]](repeating: [], count: ways.count)
        for ranges in sums {
            let bytes = 4 * ranges.reduce(0) { $0 + $1.count }
            progress(bytes)
            var seconds = [[Double]](repeating: [], count: ways.count)
            for repetition in 0...repetitions {
                for (index, way) in ways.enumerated() {
                    let own = try sum(ranges, over: way, floats)
                    board.worked()
                    let slowest = try ways[0].allGather([own]).map { $0[0] }.max()!
                    if repetition > 0 { seconds[index].append(slowest) }
                }
            }
            for index in ways.indices {
                results[index].append(Result(bytes: bytes, seconds: Spread(seconds[index])))
            }
        }
        return results.map { Results(sizes: $0.dropLast(), gradient: $0.last!) }
    }

    /// - Returns: this rank's seconds.
    private func sum(_ ranges: [Range<Int>], over way: Communicator, _ floats: Floats) throws -> Double {
        let count = ranges.map(\.upperBound).max()!
        floats.buffer.base.update(repeating: Float(way.rank + 1), count: count)
        try way.barrier()
        let start = ContinuousClock.now
        for range in ranges { way.startAllReduce(unsafe: floats.buffer.base, range: range, owner: floats) }
        try way.wait()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        // Whole numbers as small as these are summed without rounding.
        let expected = Float(way.worldSize * (way.worldSize + 1) / 2)
        guard floats.buffer.elements[..<count].allSatisfy({ $0 == expected }) else {
            throw UserError(.other, "a sum of \(4 * count) bytes over \(way.worldSize) ranks is wrong")
        }
        return seconds
    }

    private final class Floats {
        let buffer: FloatBuffer

        init(count: Int) { buffer = FloatBuffer(count: count) }
    }
}
