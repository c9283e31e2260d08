import Collectives
import Formats
import Platform
import Training

/// The results of an `AllReduceBenchmark` for each way to sum, and the way that it recommends.
package struct AllReduceReport: Sendable {
    /// A way to sum: a transport and an algorithm.
    package struct Way: Sendable {
        package var transport: JobConnection.Transport
        package var allReduce: Communicator.AllReduce
        /// All ways of a report have results for the same sizes and the same gradient.
        package var results: AllReduceBenchmark.Results

        package init(
            transport: JobConnection.Transport,
            allReduce: Communicator.AllReduce,
            results: AllReduceBenchmark.Results
        ) {
            self.transport = transport
            self.allReduce = allReduce
            self.results = results
        }

        var name: String { "\(transport.rawValue) \(allReduce.rawValue)" }
        var options: String { "--backend=\(transport.rawValue) --allreduce=\(allReduce.rawValue)" }
    }

    /// Facts about the gradient that was summed.
    package struct Gradient: Equatable, Sendable {
        /// The model whose gradient it is, such as `preset gpt2`.
        package var model: String
        /// The size of the whole gradient.
        package var bytes: Int
        /// The size of the largest bucket.
        package var bucketBytes: Int
        /// The number of buckets that were summed.
        package var bucketCount: Int

        package init(model: String, bytes: Int, bucketBytes: Int, bucketCount: Int) {
            self.model = model
            self.bytes = bytes
            self.bucketBytes = bucketBytes
            self.bucketCount = bucketCount
        }
    }

    /// The recommended way.
    package struct Recommendation: Equatable, Sendable {
        /// The index in `ways`.
        package var way: Int
        /// One sentence.
        package var reason: String
    }

    /// The number of ranks.
    package var ranks: Int
    /// The number of different hosts.
    package var machines: Int
    /// The transport and interface, such as `mpi, eth0 (10.0.0.5)`.
    package var route: String
    /// The speed of copying memory with one thread, in bytes read plus written per second.
    package var copyBandwidth: Double
    /// The gradient whose times decide the recommendation.
    package var gradient: Gradient
    /// At least one. The first is the default of a job.
    package var ways: [Way]

    package init(ranks: Int, machines: Int, route: String, copyBandwidth: Double, gradient: Gradient, ways: [Way]) {
        precondition(!ways.isEmpty)
        self.gradient = gradient
        self.ranks = ranks
        self.machines = machines
        self.route = route
        self.copyBandwidth = copyBandwidth
        self.ways = ways
    }

    // MARK: Recommendation

    /// A way is recommended only if it is at least this many times as fast as the default. Smaller gains may be noise.
    private static let minimumGain = 1.1

    /// The recommended way; nil if there is only one.
    ///
    /// The time of the gradient decides, not that of other sizes. A way replaces the default if its median is at least
    /// a tenth faster and its upper quartile is below the default's lower quartile.
    package var recommendation: Recommendation? {
        guard ways.count > 1 else { return nil }
        let usual = ways[0]
        let times = ways.map(\.results.gradient.seconds)
        let gains = times.map { times[0].median / $0.median }
        let clear = ways.indices.filter {
            gains[$0] >= Self.minimumGain && times[$0].upperQuartile < times[0].lowerQuartile
        }
        let size = "for the run's buckets of \(Self.size(gradient.bucketBytes))"
        guard let best = clear.max(by: { gains[$0] < gains[$1] }) else {
            let others = ways.indices.dropFirst().map { "\(ways[$0].name) \(Numbers.fixed(gains[$0], 2)) times" }
            let scatter = gains.contains { $0 >= Self.minimumGain } ? ", considering the spread of the times" : ""
            let reason = """
                \(size) nothing is faster than \(usual.name) by a tenth\(scatter) (\(others.joined(separator: ", ")) \
                its speed)
                """
            return Recommendation(way: 0, reason: reason)
        }
        let way = ways[best]
        var reason = "\(size) \(way.name) is \(Numbers.fixed(gains[best], 2)) times as fast as \(usual.name)"
        if way.allReduce == .native {
            reason += "; with another MPI its sums may have other bits, while the ring's bits are the same everywhere"
        }
        return Recommendation(way: best, reason: reason)
    }

    // MARK: Text

    /// A JSON object: the job's facts, `gradient`, `ways` with their times, and `recommendation` (or null).
    package var json: JSONValue {
        .object([
            .init("ranks", .integer(ranks)),
            .init("machines", .integer(machines)),
            .init("route", .string(route)),
            .init("copy_bytes_per_second", .number(copyBandwidth)),
            .init(
                "gradient",
                .object([
                    .init("model", .string(gradient.model)), .init("bytes", .integer(gradient.bytes)),
                    .init("bucket_bytes", .integer(gradient.bucketBytes)),
                    .init("buckets_summed", .integer(gradient.bucketCount)),
                ])
            ),
            .init(
                "ways",
                .array(
                    ways.map { way in
                        .object([
                            .init("backend", .string(way.transport.rawValue)),
                            .init("allreduce", .string(way.allReduce.rawValue)),
                            .init("sizes", .array(way.results.sizes.map(json))),
                            .init("gradient", json(way.results.gradient)),
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

    /// A table with a row per size and one for the gradient, and three columns per way.
    package var text: String {
        let title = """
            all-reduce of \(ranks) ranks on \(machines) \(machines == 1 ? "machine" : "machines") (\(route)); one \
            thread copies memory at \(Self.gigabytes(copyBandwidth)) GB/s (read and written)
            """
        let names = ways.map { ($0.name, -Self.wayWidth) }
        let columns = ways.flatMap { _ in [("best ms", 12), ("median ms", 11), ("bus GB/s", 10)] }
        let rows = ways[0].results.sizes.indices.map { index in row(ways.map { $0.results.sizes[index] }) }
        let run =
            "as a run sums (\(gradient.model): \(Self.size(gradient.bytes)) in buckets of \(Self.size(gradient.bucketBytes))), "
            + "\(gradient.bucketCount) \(gradient.bucketCount == 1 ? "bucket" : "buckets"):"
        let advice = recommendation.map { ["recommended: \(ways[$0.way].options): \($0.reason)"] } ?? []
        let head = [TextTable.line([("", 12)] + names), TextTable.line([("size", 7)] + columns)]
        return ([title] + head + rows + [run, row(ways.map(\.results.gradient))] + advice).joined(separator: "\n")
            + "\n"
    }

    /// The row of one size, or of the gradient, for all ways.
    private func row(_ results: [AllReduceBenchmark.Result]) -> String {
        TextTable.line(
            [(Self.size(results[0].bytes), 7)]
                + results.flatMap { result in
                    [
                        (Self.milliseconds(result.seconds.minimum), 12),
                        (Self.milliseconds(result.seconds.median), 11),
                        (Self.gigabytes(result.busBandwidth(worldSize: ranks)), 10),
                    ]
                }
        )
    }

    /// The total width of a way's three columns, in characters.
    private static let wayWidth = 33

    private static func size(_ bytes: Int) -> String {
        bytes >= 1_000_000
            ? "\(Numbers.fixed(Double(bytes) / 1e6, bytes % 1_000_000 == 0 ? 0 : 1)) MB"
            : bytes >= 1000 ? "\(Numbers.fixed(Double(bytes) / 1e3, bytes % 1000 == 0 ? 0 : 1)) kB" : "\(bytes) B"
    }

    private static func milliseconds(_ seconds: Double) -> String { Numbers.fixed(seconds * 1000, 2) }
    private static func gigabytes(_ bytes: Double) -> String { Numbers.fixed(bytes / 1e9, 2) }
}
