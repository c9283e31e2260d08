import Collectives
import Testing

@testable import Performance

@Suite("Comparing all-reduces")
struct AllReduceReportTests {
    /// - Parameter milliseconds: at 4 kB, 1 MB, 8 MB and 42 MB.
    private func way(
        _ transport: JobConnection.Transport,
        _ allReduce: Communicator.AllReduce,
        _ milliseconds: [Double]
    ) -> AllReduceReport.Way {
        let sizes = [4000, 1_000_000, 8_000_000, 42_000_000]
        let results = zip(sizes, milliseconds).map {
            AllReduceBenchmark.Result(bytes: $0, seconds: Spread([$1 / 1000]))
        }
        return .init(transport: transport, allReduce: allReduce, results: results)
    }

    private func report(_ ways: [AllReduceReport.Way]) -> AllReduceReport {
        AllReduceReport(ranks: 2, machines: 1, route: "mpi, lo (127.0.0.1)", copyBandwidth: 1e10, ways: ways)
    }

    @Test("The fastest from a megabyte on is recommended, when it is worth an option")
    func recommendation() throws {
        let ring = way(.mpi, .ring, [0.1, 1, 8, 42])
        let native = way(.mpi, .native, [0.01, 2, 16, 84])
        let tcp = way(.tcp, .ring, [5, 0.5, 4, 60])
        let best = try #require(report([ring, native, tcp]).recommendation)
        #expect(best.way == 2)
        #expect(best.reason == "tcp ring is 2.00 times as fast as mpi ring")
        // Small sums do not count, and 5 % is no reason.
        let same = way(.tcp, .ring, [0.01, 0.95, 7.6, 40])
        let usual = try #require(report([ring, native, same]).recommendation)
        #expect(usual.way == 0)
        let reason = "nothing is faster than mpi ring by a tenth (mpi native 0.50 times, tcp ring 1.05"
        #expect(usual.reason.hasPrefix(reason))
        #expect(report([ring]).recommendation == nil)
    }

    @Test("What another MPI may sum otherwise is said where MPI's own is recommended")
    func native() throws {
        let report = report([way(.mpi, .ring, [1, 2, 20, 200]), way(.mpi, .native, [1, 1, 10, 100])])
        #expect(try #require(report.recommendation).reason.contains("may have other bits"))
        #expect(report.text.contains("recommended: --backend=mpi --allreduce=native: "))
    }

    @Test("A column stands under its name, whatever the number of ways")
    func table() {
        let lines = report([way(.mpi, .ring, [0.1, 1, 8, 42]), way(.tcp, .ring, [0.1, 1.5, 12, 63])]).text
            .split(separator: "\n").map(String.init)
        #expect(lines[1].hasPrefix("            mpi ring"))
        #expect(lines[2].hasSuffix("bus GB/s") && lines[6].hasSuffix("0.67"))
        #expect(lines[2].count == lines[6].count)
    }
}
