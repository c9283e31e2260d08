import Collectives
import Formats
import Platform
import Training

/// What an `AllReduceBenchmark` found, way by way, and which of them it speaks for.
package struct AllReduceReport: Sendable {
    /// How the ranks of a job can sum: a transport and an algorithm.
    package struct Way: Sendable {
        /// What carried the messages.
        package var transport: JobConnection.Transport
        /// How they were summed.
        package var allReduce: Communicator.AllReduce
        /// One for each size, in the order of the benchmark.
        package var results: [AllReduceBenchmark.Result]

        /// The ways of one report have results for the same sizes.
        package init(
            transport: JobConnection.Transport,
            allReduce: Communicator.AllReduce,
            results: [AllReduceBenchmark.Result]
        ) {
            self.transport = transport
            self.allReduce = allReduce
            self.results = results
        }

        var name: String { "\(transport.rawValue) \(allReduce.rawValue)" }
        var options: String { "--backend=\(transport.rawValue) --allreduce=\(allReduce.rawValue)" }
    }

    /// The way that a job should take.
    package struct Recommendation: Equatable, Sendable {
        /// Its place among the ways.
        package var way: Int
        /// A sentence.
        package var reason: String
    }

    /// Ranks of the job.
    package var ranks: Int
    /// Different hosts among them.
    package var machines: Int
    /// How the ranks reach each other, such as `mpi, eth0 (10.0.0.5)`.
    package var route: String
    /// Bytes a second of copying memory, read and written ones both counted, by one thread.
    package var copyBandwidth: Double
    /// At least one; the first is what a job takes without being told.
    package var ways: [Way]

    /// At least one way.
    package init(ranks: Int, machines: Int, route: String, copyBandwidth: Double, ways: [Way]) {
        precondition(!ways.isEmpty)
        self.ranks = ranks
        self.machines = machines
        self.route = route
        self.copyBandwidth = copyBandwidth
        self.ways = ways
    }

    // MARK: Which to take

    /// Where gradients are summed, in buckets of several megabytes.
    private static let leastBucket = 1_000_000
    /// Less is not worth an option, and hardly more than noise.
    private static let leastGain = 1.1

    /// Nil where there was nothing to choose from.
    ///
    /// What counts is the median over the sizes from a megabyte on (all, when there are none) of the ratios of median
    /// times.
    package var recommendation: Recommendation? {
        guard ways.count > 1 else { return nil }
        let gains = ways.map { gain(of: $0, over: ways[0]) }
        let best = gains.indices.max { gains[$0] < gains[$1] }!
        let usual = ways[0]
        guard gains[best] >= Self.leastGain else {
            let others = ways.indices.dropFirst().map { "\(ways[$0].name) \(Numbers.fixed(gains[$0], 2)) times" }
            let reason = "nothing is faster than \(usual.name) by a tenth (\(others.joined(separator: ", ")) its speed)"
            return Recommendation(way: 0, reason: reason)
        }
        let way = ways[best]
        var reason = "\(way.name) is \(Numbers.fixed(gains[best], 2)) times as fast as \(usual.name)"
        if way.allReduce == .native {
            reason += "; its sums may have other bits with another MPI, where the ring's are the same everywhere"
        }
        return Recommendation(way: best, reason: reason)
    }

    private func gain(of way: Way, over other: Way) -> Double {
        let isLarge = way.results.contains { $0.bytes >= Self.leastBucket }
        let pairs = zip(way.results, other.results).filter { !isLarge || $0.0.bytes >= Self.leastBucket }
        return Spread(pairs.map { $0.1.seconds.median / $0.0.seconds.median }).median
    }

    // MARK: Text

    /// One object: the job's facts, `ways` with their sizes, and `recommendation` or null.
    package var json: JSONValue {
        .object([
            .init("ranks", .integer(ranks)),
            .init("machines", .integer(machines)),
            .init("route", .string(route)),
            .init("copy_bytes_per_second", .number(copyBandwidth)),
            .init(
                "ways",
                .array(
                    ways.map { way in
                        .object([
                            .init("backend", .string(way.transport.rawValue)),
                            .init("allreduce", .string(way.allReduce.rawValue)),
                            .init("sizes", .array(way.results.map(json))),
                        ])
                    }
                )
            ),
            .init(
                "recommendation",
                recommendation.map {
                    .object([
                        .init("backend", .string(ways[$0.way].transport.rawValue)),
                        .init("allreduce", .string(ways[$0.way].allReduce.rawValue)),
                        .init("reason", .string($0.reason)),
                    ])
                } ?? .null
            ),
        ])
    }

    private func json(_ result: AllReduceBenchmark.Result) -> JSONValue {
        .object(
            [
                .init("bytes", .integer(result.bytes)),
                .init("bus_bytes_per_second", .number(result.busBandwidth(worldSize: ranks))),
            ] + result.seconds.jsonMembers
        )
    }

    /// A table with a row for each size and three columns for each way.
    package var text: String {
        let title = """
            all-reduce of \(ranks) ranks on \(machines) \(machines == 1 ? "machine" : "machines") (\(route)); one \
            thread copies memory at \(Self.gigabytes(copyBandwidth)) GB/s (read and written)
            """
        let names = ways.map { ($0.name, -Self.wayWidth) }
        let columns = ways.flatMap { _ in [("best ms", 12), ("median ms", 11), ("bus GB/s", 10)] }
        let rows = ways[0].results.indices.map { index in
            TextTable.line(
                [(Self.size(ways[0].results[index].bytes), 7)]
                    + ways.flatMap { way in
                        let result = way.results[index]
                        return [
                            (Self.milliseconds(result.seconds.minimum), 12),
                            (Self.milliseconds(result.seconds.median), 11),
                            (Self.gigabytes(result.busBandwidth(worldSize: ranks)), 10),
                        ]
                    }
            )
        }
        let advice = recommendation.map { ["recommended: \(ways[$0.way].options): \($0.reason)"] } ?? []
        let head = [TextTable.line([("", 12)] + names), TextTable.line([("size", 7)] + columns)]
        return ([title] + head + rows + advice).joined(separator: "\n") + "\n"
    }

    /// Characters of the three columns of a way.
    private static let wayWidth = 33

    private static func size(_ bytes: Int) -> String {
        bytes >= 1_000_000
            ? "\(Numbers.fixed(Double(bytes) / 1e6, bytes % 1_000_000 == 0 ? 0 : 1)) MB"
            : bytes >= 1000 ? "\(Numbers.fixed(Double(bytes) / 1e3, bytes % 1000 == 0 ? 0 : 1)) kB" : "\(bytes) B"
    }

    private static func milliseconds(_ seconds: Double) -> String { Numbers.fixed(seconds * 1000, 2) }
    private static func gigabytes(_ bytes: Double) -> String { Numbers.fixed(bytes / 1e9, 2) }
}
