import Collectives
import Compute
import Platform
import Training

/// Times all-reduces of the ranks of a job for several sizes and for the gradient of a run. Compares one or several
/// ways to sum.
package struct AllReduceBenchmark {
    /// The times of one way for one size or for a run's gradient.
    package struct Result: Equatable, Sendable {
        /// The number of bytes summed on each rank.
        package var bytes: Int
        /// The time of the slowest rank in each repetition.
        package var seconds: Spread

        package init(bytes: Int, seconds: Spread) {
            self.bytes = bytes
            self.seconds = seconds
        }

        /// The bytes per second that each rank sends and receives in the fastest repetition: `bytes * 2 (n - 1) / n /
        /// time`, as in NCCL's tests.
        package func busBandwidth(worldSize: Int) -> Double {
            2 * Double(worldSize - 1) / Double(worldSize) * Double(bytes) / seconds.minimum
        }
    }

    /// The times of one way.
    package struct Results: Sendable {
        /// One result per size, in order.
        package var sizes: [Result]
        /// The result for the gradient.
        package var gradient: Result

        package init(sizes: [Result], gradient: Result) {
            self.sizes = sizes
            self.gradient = gradient
        }
    }

    /// The sizes of the sums in bytes, multiples of 4.
    package var sizes: [Int]
    /// The buckets of a run's gradient, as ranges of floats. As in a run, all are started one after the other and then
    /// waited for, so their memory is not in a cache, and each bucket waits while the previous one is summed.
    package var gradient: [Range<Int>]
    /// The number of timed sums of each size.
    package var repetitions: Int

    /// - Parameters:
    ///   - sizes: the sizes of the sums in bytes, multiples of 4.
    ///   - gradient: the buckets of a run's gradient as ranges of floats, at least one.
    ///   - repetitions: the number of timed sums of each size, after one untimed sum.
    package init(sizes: [Int], gradient: [Range<Int>], repetitions: Int) {
        precondition(sizes.allSatisfy { $0 > 0 && $0 % 4 == 0 } && !gradient.isEmpty && repetitions > 0)
        self.sizes = sizes
        self.gradient = gradient
        self.repetitions = repetitions
    }

    /// Runs the benchmark. Every rank must call this with the same ways and gets the same results, one per way.
    ///
    /// - Parameters:
    ///   - ways: the ways to compare, all of the same job. They take turns, so that other load affects all equally.
    ///   - progress: called before each size with its number of bytes.
    /// - Throws: `UserError(.other)` if a sum is wrong, `CollectiveError.failed` if communication fails.
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

    /// - Returns: the time on this rank, in seconds.
    private func sum(_ ranges: [Range<Int>], over way: Communicator, _ floats: Floats) throws -> Double {
        let count = ranges.map(\.upperBound).max()!
        floats.buffer.base.update(repeating: Float(way.rank + 1), count: count)
        try way.barrier()
        let start = ContinuousClock.now
        for range in ranges { way.startAllReduce(unsafe: floats.buffer.base, range: range, owner: floats) }
        try way.wait()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        // Sums of small whole numbers are exact.
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
