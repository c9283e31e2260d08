import Collectives
import Formats
import Platform
import Training

/// What `ddp-train doctor` found on every rank of a job, and between them.
public struct JobReport: Sendable {
    /// Of this rank.
    public var own: DoctorReport
    /// Every rank's report as its JSON object, in order.
    public var reports: [JSONValue]
    /// The ranks in order.
    public var members: [Member]
    /// How they reach each other, such as `tcp, eth0 (10.0.0.5)`.
    public var route: String
    /// Speeds between neighbours.
    public var check: EdgeCheck

    /// Every rank calls it: examines itself, tells the others, and measures the edges with them.
    ///
    /// - Throws: `CollectiveError.failed`; `UserError` when a message of a rank is no JSON.
    public init(_ doctor: Doctor, _ communicator: Communicator, route: String) throws {
        own = communicator.board.during(.examining) { doctor.examine() }
        reports = try communicator.allGather(message: Array(own.json.text().utf8)).map { try JSONValue(parsing: $0) }
        members = communicator.members
        self.route = route
        check = try EdgeCheck.run(communicator)
    }

    /// Whether nothing that is needed is broken, on any rank.
    public var isFine: Bool { reports.allSatisfy { $0["ok"] == .bool(true) } }

    /// An edge this much slower than the median is worth a word.
    private static let slow = 0.5

    private var edgeFindings: [Finding] {
        let median = Spread(check.edges.map(\.bytesPerSecond)).median
        return check.edges.map { edge in
            let isSlow = edge.bytesPerSecond < Self.slow * median
            return Finding(
                "edge_\(edge.from.rank)_\(edge.to.rank)",
                "\(edge.from) -> \(edge.to)",
                Self.speed(edge.bytesPerSecond),
                state: isSlow ? .missing : .fine,
                advice: isSlow ? "the ring is as slow as this: look at the cable, the card and other traffic" : nil
            )
        }
    }

    /// What other ranks lack, a line each.
    private var problems: [Finding] {
        zip(members, reports).dropFirst().flatMap { member, report in
            (report["problems"]?.arrayValue ?? []).map { problem in
                Finding(
                    "rank_\(member.rank)",
                    "\(member)",
                    problem["what"]?.stringValue ?? "",
                    state: problem["state"] == .string(Finding.State.broken.rawValue) ? .broken : .missing,
                    advice: problem["advice"]?.stringValue
                )
            }
        }
    }

    /// This rank's report, the edges, and what other ranks lack.
    public var text: String {
        let latency = "\(Numbers.fixed(check.secondsPerEdge * 1e3, 3)) ms from rank to rank"
        let job = Finding("job", "job", "\(members.count) ranks, \(route); \(latency)")
        return DoctorReport(own.findings + [job] + edgeFindings + problems).text
    }

    /// One object: `ok`, `route`, `seconds_per_edge`, `edges`, and `ranks` with every rank's report.
    public var json: JSONValue {
        .object([
            .init("ok", .bool(isFine)),
            .init("route", .string(route)),
            .init("seconds_per_edge", .number(check.secondsPerEdge)),
            .init(
                "edges",
                .array(
                    check.edges.map { edge in
                        .object([
                            .init("from", .integer(edge.from.rank)), .init("to", .integer(edge.to.rank)),
                            .init("bytes_per_second", .number(edge.bytesPerSecond)),
                        ])
                    }
                )
            ),
            .init(
                "ranks",
                .array(
                    zip(members, reports).map { member, report in
                        .object([.init("host", .string(member.host)), .init("report", report)])
                    }
                )
            ),
        ])
    }

    private static func speed(_ bytesPerSecond: Double) -> String {
        bytesPerSecond >= 1e8
            ? "\(Numbers.fixed(bytesPerSecond / 1e9, 2)) GB/s" : "\(Numbers.fixed(bytesPerSecond / 1e6, 2)) MB/s"
    }
}
