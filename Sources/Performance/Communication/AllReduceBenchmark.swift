import Collectives
import Compute
import Formats
import Training

/// Times the all-reduce of the ranks of a job, size by size.
public struct AllReduceBenchmark {
    /// One size.
    public struct Result: Equatable, Sendable {
        public var bytes: Int
        /// Of the slowest rank, a repetition each.
        public var seconds: Spread

        /// Bytes a second that each rank sends and receives, `bytes * 2 (n - 1) / n / time`, as NCCL's tests count it.
        public func busBandwidth(worldSize: Int) -> Double {
            2 * Double(worldSize - 1) / Double(worldSize) * Double(bytes) / seconds.minimum
        }
    }

    public var sizes: [Int]
    public var repetitions: Int

    /// - Parameters:
    ///   - sizes: bytes of each sum, whole numbers of floats.
    ///   - repetitions: timed ones for each size, after one that is not.
    public init(sizes: [Int], repetitions: Int) {
        precondition(sizes.allSatisfy { $0 > 0 && $0 % 4 == 0 } && repetitions > 0)
        self.sizes = sizes
        self.repetitions = repetitions
    }

    /// Every rank calls it and returns the same.
    ///
    /// - Throws: `UserError(.other)` when a sum is wrong; `CollectiveError.failed`.
    public func run(_ communicator: Communicator, progress: (Int) -> Void = { _ in }) throws -> [Result] {
        let buffer = FloatBuffer(count: sizes.max()! / 4)
        communicator.board.activity = .computing
        defer { communicator.board.activity = .preparing }
        return try sizes.map { bytes in
            progress(bytes)
            var seconds: [Double] = []
            for repetition in 0...repetitions {
                let count = bytes / 4
                buffer.base.update(repeating: Float(communicator.rank + 1), count: count)
                try communicator.barrier()
                let start = ContinuousClock.now
                communicator.startAllReduce(buffer.base, range: 0..<count)
                try communicator.wait()
                let own = (ContinuousClock.now - start) / .seconds(1)
                // Whole numbers as small as these are summed without rounding.
                let expected = Float(communicator.worldSize * (communicator.worldSize + 1) / 2)
                guard buffer.elements[..<count].allSatisfy({ $0 == expected }) else {
                    throw UserError(.other, "a sum of \(bytes) bytes over \(communicator.worldSize) ranks is wrong")
                }
                communicator.board.worked()
                let slowest = try communicator.allGather([own]).map { $0[0] }.max()!
                if repetition > 0 { seconds.append(slowest) }
            }
            return Result(bytes: bytes, seconds: Spread(seconds))
        }
    }
}

/// The results of one transport, with what they are to be compared with.
public struct AllReduceReport: Sendable {
    public var transport: String
    public var allReduce: String
    public var ranks: Int
    public var machines: Int
    /// Bytes a second of copying memory, read and written ones both counted, by one thread.
    public var copyBandwidth: Double
    public var results: [AllReduceBenchmark.Result]

    public init(
        transport: String,
        allReduce: String,
        ranks: Int,
        machines: Int,
        copyBandwidth: Double,
        results: [AllReduceBenchmark.Result]
    ) {
        self.transport = transport
        self.allReduce = allReduce
        self.ranks = ranks
        self.machines = machines
        self.copyBandwidth = copyBandwidth
        self.results = results
    }

    public var json: JSONValue {
        .object([
            .init("transport", .string(transport)),
            .init("allreduce", .string(allReduce)),
            .init("ranks", .integer(ranks)),
            .init("machines", .integer(machines)),
            .init("copy_bytes_per_second", .number(copyBandwidth)),
            .init(
                "sizes",
                .array(
                    results.map { result in
                        .object(
                            [
                                .init("bytes", .integer(result.bytes)),
                                .init("bus_bytes_per_second", .number(result.busBandwidth(worldSize: ranks))),
                            ] + result.seconds.jsonMembers
                        )
                    }
                )
            ),
        ])
    }

    public var text: String {
        let title = """
            \(transport), \(allReduce) all-reduce, \(ranks) ranks on \(machines) \(machines == 1 ? "machine" : "machines"); \
            one thread copies memory at \(Self.gigabytes(copyBandwidth)) GB/s (read and written)
            """
        let rows = results.map { result in
            [
                Self.size(result.bytes), Self.milliseconds(result.seconds.minimum),
                Self.milliseconds(result.seconds.median), Self.gigabytes(result.busBandwidth(worldSize: ranks)),
            ]
        }
        let table = [["size", "best ms", "median ms", "bus GB/s"]] + rows
        let widths = (0..<4).map { column in table.map { $0[column].count }.max()! }
        let lines = table.map { row in
            zip(row, widths).map { String(repeating: " ", count: $1 - $0.count) + $0 }.joined(separator: "  ")
        }
        return ([title] + lines).joined(separator: "\n") + "\n"
    }

    private static func size(_ bytes: Int) -> String {
        bytes >= 1_000_000
            ? "\(Numbers.fixed(Double(bytes) / 1e6, bytes % 1_000_000 == 0 ? 0 : 1)) MB"
            : bytes >= 1000 ? "\(Numbers.fixed(Double(bytes) / 1e3, bytes % 1000 == 0 ? 0 : 1)) kB" : "\(bytes) B"
    }

    private static func milliseconds(_ seconds: Double) -> String { Numbers.fixed(seconds * 1000, 2) }
    private static func gigabytes(_ bytes: Double) -> String { Numbers.fixed(bytes / 1e9, 2) }
}
