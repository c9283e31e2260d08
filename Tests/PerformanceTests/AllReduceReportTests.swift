import Collectives
import Testing

@testable import Performance

@Suite("Comparing all-reduces")
struct AllReduceReportTests {
    /// - Parameters:
    ///   - milliseconds: the times for 4 kB, 1 MB, 8 MB and 42 MB.
    ///   - gradient: the times of the gradient in each repetition, in milliseconds.
    private func way(
        _ transport: JobConnection.Transport,
        _ allReduce: Communicator.AllReduce,
        _ milliseconds: [Double],
        gradient: [Double]
    ) -> AllReduceReport.Way {
        let sizes = [4000, 1_000_000, 8_000_000, 42_000_000]
        let results = zip(sizes, milliseconds).map {
            AllReduceBenchmark.Result(bytes: $0, seconds: Spread([$1 / 1000]))
        }
        let sum = AllReduceBenchmark.Result(bytes: 126_000_000, seconds: Spread(gradient.map { $0 / 1000 }))
        return .init(transport: transport, allReduce: allReduce, results: .init(sizes: results, gradient: sum))
    }

    private func report(_ ways: [AllReduceReport.Way], bucket: Int = 3_932_160) -> AllReduceReport {
        AllReduceReport(
            ranks: 2,
            machines: 1,
            route: "mpi, lo (127.0.0.1)",
            copyBandwidth: 1e10,
            gradient: .init(model: "preset gpt2", bytes: 498_000_000, bucketBytes: bucket, bucketCount: 32),
            ways: ways
        )
    }

    @Test("The way that sums the run's buckets fastest is recommended if it is at least a tenth faster")
    func recommendation() throws {
        let ring = way(.mpi, .ring, [0.1, 1, 8, 42], gradient: [100])
        let native = way(.mpi, .native, [0.01, 2, 16, 84], gradient: [200])
        let tcp = way(.tcp, .ring, [5, 5, 40, 600], gradient: [50])
        let best = try #require(report([ring, native, tcp]).recommendation)
        #expect(best.way == 2)
        #expect(best.reason == "for the run's buckets of 3.9 MB tcp ring is 2.00 times as fast as mpi ring")
        // A gain of 5 % is too small.
        let same = way(.tcp, .ring, [0.01, 0.5, 4, 20], gradient: [95])
        let usual = try #require(report([ring, native, same]).recommendation)
        #expect(usual.way == 0)
        let reason =
            "for the run's buckets of 3.9 MB nothing is faster than mpi ring by a tenth (mpi native 0.50 times, tcp ring 1.05"
        #expect(usual.reason.hasPrefix(reason), "\(usual.reason)")
        #expect(report([ring]).recommendation == nil)
    }

    @Test(
        "MPI's own all-reduce is not recommended if it is faster only for small sums",
        arguments: [0.55, 0.9]
    )
    func slowerForBuckets(speed: Double) throws {
        // MPI's own is faster up to 8 MB, but for 42 to 128 MB it has 0.55 to 0.9 times the ring's speed.
        let ring = way(.mpi, .ring, [0.1, 1, 8, 42], gradient: [100, 101, 99, 100])
        let native = way(.mpi, .native, [0.02, 0.5, 5, 42 / speed], gradient: [100, 101, 99, 100].map { $0 / speed })
        let recommendation = try #require(report([ring, native], bucket: 64_000_000).recommendation)
        #expect(recommendation.way == 0)
        #expect(recommendation.reason.hasPrefix("for the run's buckets of 64 MB nothing is faster than mpi ring"))
        #expect(report([ring, native]).text.contains("\nrecommended: --backend=mpi --allreduce=ring: "))
    }

    @Test("A faster way is not recommended if its times overlap with the default's")
    func noise() throws {
        let ring = way(.mpi, .ring, [1, 1, 1, 1], gradient: [80, 90, 100, 120, 130])
        let native = way(.mpi, .native, [1, 1, 1, 1], gradient: [70, 80, 85, 95, 140])
        let recommendation = try #require(report([ring, native]).recommendation)
        #expect(recommendation.way == 0)
        #expect(
            recommendation.reason.contains("by a tenth, considering the spread of the times (mpi native 1.18 times")
        )
        let clear = way(.mpi, .native, [1, 1, 1, 1], gradient: [70, 80, 85, 88, 140])
        #expect(try #require(report([ring, clear]).recommendation).way == 1)
    }

    @Test("A recommendation of MPI's own all-reduce says that another MPI may give other bits")
    func native() throws {
        let report = report([
            way(.mpi, .ring, [1, 2, 20, 200], gradient: [20]), way(.mpi, .native, [1, 1, 10, 100], gradient: [10]),
        ])
        #expect(try #require(report.recommendation).reason.contains("may have other bits"))
        #expect(report.text.contains("recommended: --backend=mpi --allreduce=native: "))
    }

    @Test("Columns are aligned under their names")
    func table() {
        let lines = report([
            way(.mpi, .ring, [0.1, 1, 8, 42], gradient: [126]), way(.tcp, .ring, [0.1, 1.5, 12, 63], gradient: [189]),
        ]).text.split(separator: "\n").map(String.init)
        #expect(lines[1].hasPrefix("            mpi ring"))
        #expect(lines[2].hasSuffix("bus GB/s") && lines[6].hasSuffix("0.67"))
        #expect(lines[2].count == lines[6].count)
        #expect(lines[7] == "as a run sums (preset gpt2: 498 MB in buckets of 3.9 MB), 32 buckets:")
        #expect(lines[8].hasPrefix(" 126 MB") && lines[8].count == lines[2].count)
    }
}
