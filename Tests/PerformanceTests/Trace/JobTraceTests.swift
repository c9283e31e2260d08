import Formats
import Foundation
import Platform
import TestSupport
import Testing

@testable import Performance

/// Writes the profile of a rank from times on a true clock.
private struct PlannedRank {
    /// Nanoseconds by which the rank's clock is ahead, and nanoseconds that it gains per second.
    var ahead = 0
    var gains = 0
    var sequences = 4
    /// For each step, in milliseconds of true time: begin, gradient ready, end of the sum, end.
    var steps: [(begin: Double, ready: Double, summed: Double, end: Double)]
    /// CPU time divided by the time without waits.
    var processorShare = 1.0

    private func own(_ milliseconds: Double) -> Int {
        Int((milliseconds * 1e6).rounded()) + ahead + Int(Double(gains) * milliseconds / 1000)
    }

    func write(_ path: String, rank: Int, of worldSize: Int) throws {
        let origin = own(steps[0].begin)
        // Every rank exits a barrier 10 µs after the last rank entered it. Ranks enter it up to 30 µs apart.
        func rounds(_ start: Double) -> String {
            (0..<8).map { round in
                let came = start + Double(round) + Double((rank * 7 + round * 3) % 4) * 0.01
                return "[\(own(came) - origin),\(own(start + Double(round) + 0.04) - origin)]"
            }.joined(separator: ",")
        }
        var lines = [
            """
            {"name":"ddp_train_profile","ph":"M","pid":\(rank),"tid":0,"args":{"format":1,"rank":\(rank),\
            "world_size":\(worldSize),"host":"node\(rank)","threads":1,"sequences":\(sequences),"origin_ns":\(origin),"clock_before":[\(rounds(-50))],"clock_after":[\(rounds(steps.last!.end + 1))]}}
            """,
            #"{"name":"process_name","ph":"M","pid":\#(rank),"tid":0,"args":{"name":"rank \#(rank) (node\#(rank))"}}"#,
        ]
        func slice(_ name: String, _ start: Double, _ end: Double, _ more: String = "") {
            let from = Double(own(start) - origin) / 1000, duration = Double(own(end) - own(start)) / 1000
            lines.append(
                #"{"name":"\#(name)","ph":"X","pid":\#(rank),"tid":0,"ts":\#(from),"dur":\#(duration)\#(more)}"#
            )
        }
        for (index, step) in steps.enumerated() {
            let working = step.end - step.begin - (step.summed - step.ready)
            let processor = Int(working * 1000 * processorShare)
            slice("step \(index)", step.begin, step.end, #","args":{"processor_us":\#(processor)}"#)
            slice("linear_forward", step.begin, (step.begin + step.ready) / 2)
            slice("waiting_for_ranks", step.ready, step.summed)
        }
        try AtomicFile.write("[\n" + lines.joined(separator: ",\n") + "\n]\n", to: path)
    }
}

@Suite("Trace of all ranks")
struct JobTraceTests {
    let folder: TemporaryFolder
    var path: String { folder.path + "/trace.json" }

    init() throws { folder = try TemporaryFolder() }

    private func trace(_ ranks: [PlannedRank]) throws -> JobTrace {
        for (index, rank) in ranks.enumerated() {
            try rank.write(index == 0 ? path : folder.path + "/trace.rank\(index).json", rank: index, of: ranks.count)
        }
        return try JobTrace(place: folder.path)
    }

    /// Five steps. In each, this rank is ready after `ready` ms, the last rank after `last` ms, and the sum takes `sum`
    /// ms more.
    private func steps(
        begin: Double = 0,
        ready: Double,
        last: Double,
        sum: Double
    ) -> [(Double, Double, Double, Double)] {
        (0..<5).map { index in
            let start = Double(index) * 200
            return (start + begin, start + ready, start + last + sum, start + last + sum + 5)
        }
    }

    @Test("Clocks that differ by seconds and drift are aligned within the uncertainty of the barriers")
    func clocks() throws {
        let same = steps(ready: 80, last: 80, sum: 2)
        let trace = try trace([
            PlannedRank(steps: same), PlannedRank(ahead: 5_000_000_000, gains: 20_000, steps: same),
            PlannedRank(ahead: -3_000_000, gains: -15_000, steps: same),
        ])
        for rank in 1...2 {
            let uncertainty = try #require(trace.offsets[rank]).uncertainty
            #expect(uncertainty <= 40_000)
            for index in 0..<5 {
                let difference =
                    trace.toMainClock(trace.profiles[rank].steps[index].start, ofRank: rank)
                    - trace.profiles[0].steps[index].start
                #expect(abs(Double(difference)) <= uncertainty, "rank \(rank), step \(index)")
            }
        }
    }

    @Test("A rank that computes longer is reported as the straggler, with its cost and cause")
    func compute() throws {
        let report = try trace([
            PlannedRank(ahead: 7_000_000, steps: steps(ready: 60, last: 90, sum: 1)),
            PlannedRank(sequences: 6, steps: steps(ready: 90, last: 90, sum: 1)),
            PlannedRank(ahead: -900_000_000, steps: steps(ready: 60, last: 90, sum: 1)),
        ]).report
        #expect(report.cause == .compute)
        #expect(report.straggler == 1)
        #expect(abs(report.ranks[1].late - 30) < 0.1)
        #expect(report.ranks[1].timesLast == 5)
        #expect(report.verdict.contains("rank 1 (node1)"))
        #expect(report.verdict.contains("6 sequences per iteration and they have 4"))
        #expect(report.verdict.contains("linear_forward +15"))
    }

    @Test("The cause is waiting for a rank without a CPU and for a rank that starts its steps late")
    func waiting() throws {
        let others = PlannedRank(steps: steps(ready: 60, last: 90, sum: 1))
        let starved = try trace([
            others, PlannedRank(steps: steps(ready: 90, last: 90, sum: 1), processorShare: 0.6),
        ]).report
        #expect(starved.cause == .waiting)
        #expect(starved.straggler == 1)
        #expect(starved.verdict.contains("no CPU"))
        let late = try trace([
            PlannedRank(steps: steps(begin: 30, ready: 90, last: 90, sum: 1)), others,
        ]).report
        #expect(late.cause == .waiting)
        #expect(late.straggler == 0)
        #expect(late.verdict.contains("starts its iterations"))
    }

    @Test("A rank's profile is not replaced by the merged trace, and absurd times are ignored")
    func ownProfile() throws {
        let steps = steps(ready: 60, last: 60, sum: 1)
        let trace = try trace([PlannedRank(steps: steps), PlannedRank(steps: steps)])
        let before = try FileSystem.read(path)
        let error = #expect(throws: UserError.self) { try trace.write(to: path) }
        #expect(error?.kind == .usage)
        #expect(try FileSystem.read(path) == before)

        var text = String(decoding: before, as: UTF8.self)
        text.replace("\n]", with: ",\n" + #"{"name":"loss","ph":"X","pid":0,"tid":0,"ts":1e308,"dur":-1}"# + "\n]")
        try AtomicFile.write(text, to: path)
        #expect(try JobTrace(place: path).profiles[0].steps == trace.profiles[0].steps)
        text.replace(#""origin_ns":"#, with: #""origin_ns":9223372036854775807"#)
        try AtomicFile.write(text, to: path)
        #expect(throws: UserError.self) { try JobTrace(place: path) }
    }

    @Test("If no rank is late, the cause of long sums is the network, and short sums have no cause")
    func network() throws {
        let slow = PlannedRank(steps: steps(ready: 60, last: 60, sum: 40))
        let report = try trace([slow, slow]).report
        #expect(report.cause == .network)
        #expect(report.straggler == nil)
        #expect(abs(report.sum - 40) < 0.1)
        let fast = PlannedRank(steps: steps(ready: 60, last: 60, sum: 1))
        let fine = try trace([fast, fast]).report
        #expect(fine.cause == .none)
        #expect(fine.verdict.hasPrefix("no straggler"))
    }

    @Test("The merged trace is JSON with every rank's slices on one clock and without the header events")
    func joined() throws {
        let same = steps(ready: 80, last: 80, sum: 2)
        let trace = try trace([PlannedRank(steps: same), PlannedRank(ahead: 123_456_789, steps: same)])
        #expect(trace.defaultPath == folder.path + "/trace.all.json")
        try trace.write(to: trace.defaultPath)
        let events = try #require(
            try JSONSerialization.jsonObject(with: Data(FileSystem.read(trace.defaultPath))) as? [[String: Any]]
        )
        #expect(!events.contains { $0["name"] as? String == "ddp_train_profile" })
        for index in 0..<5 {
            let starts = events.filter { $0["name"] as? String == "step \(index)" }.compactMap { $0["ts"] as? Double }
            #expect(starts.count == 2)
            #expect(abs(starts[0] - starts[1]) <= 40, "in µs")
            #expect(starts[0] >= 0)
        }
        // The merged file is not mistaken for a rank's profile.
        #expect(try JobTrace(place: folder.path).profiles.count == 2)
    }

    @Test("Profiles that cannot be merged are refused with one line")
    func refused() throws {
        let same = PlannedRank(steps: steps(ready: 80, last: 80, sum: 2))
        func refusal(_ place: String) -> UserError? { #expect(throws: UserError.self) { try JobTrace(place: place) } }
        #expect(refusal(folder.path)?.message.contains("--profile=") == true)
        _ = try trace([same, same])
        #expect(refusal(folder.path + "/trace.rank1.json")?.kind == .data)
        try FileSystem.remove(folder.path + "/trace.rank1.json")
        #expect(refusal(folder.path)?.message.contains("the profile of rank 1") == true)
        var shorter = same
        shorter.steps.removeLast()
        try shorter.write(folder.path + "/trace.rank1.json", rank: 1, of: 2)
        #expect(refusal(path)?.message.contains("not from the same run") == true)
        try AtomicFile.write("[\n{\"name\":\"ddp_train_profile\",\n", to: path)
        #expect(refusal(path)?.kind == .data)
    }
}
