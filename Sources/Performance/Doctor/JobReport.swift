import Collectives
import Formats
import Platform
import Training

/// The findings of `ddp-train doctor` on every rank of a job, and the speed between ranks.
package struct JobReport: Sendable {
    /// This rank's report.
    package var own: DoctorReport
    /// Every rank's report as a JSON object, indexed by rank.
    package var reports: [JSONValue]
    package var members: [Member]
    /// The transport and interface, such as `tcp, eth0 (10.0.0.5)`.
    package var route: String
    /// The speeds between neighbors in the ring.
    package var check: EdgeCheck

    /// Examines this rank, exchanges reports with the other ranks and measures the edges. Every rank must call this.
    ///
    /// - Throws: `CollectiveError.failed` if communication fails, `UserError` if a rank's message is not JSON.
    package init(_ doctor: Doctor, _ communicator: Communicator, route: String) throws {
        own = communicator.board.during(.examining) { doctor.examine() }
        reports = try communicator.allGather(message: Array(own.json.text().utf8)).map { try JSONValue(parsing: $0) }
        members = communicator.members
        self.route = route
        check = try EdgeCheck.run(communicator)
    }

    /// Whether nothing is broken on any rank.
    package var isFine: Bool { reports.allSatisfy { $0["ok"] == .bool(true) } }

    /// An edge is reported as slow if its speed is below this share of the median.
    private static let slowShare = 0.5

    private var edgeFindings: [Finding] {
        let median = Spread(check.edges.map(\.bytesPerSecond)).median
        return check.edges.map { edge in
            let isSlow = edge.bytesPerSecond < Self.slowShare * median
            return Finding(
                "edge_\(edge.from.rank)_\(edge.to.rank)",
                "\(edge.from) -> \(edge.to)",
                Self.speed(edge.bytesPerSecond),
                state: isSlow ? .missing : .fine,
                advice: isSlow
                    ? "this link limits the whole ring: check the cable, the network card and other traffic" : nil
            )
        }
    }

    /// The problems of other ranks, one finding each.
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

    /// This rank's report, the edges, and the problems of other ranks.
    package var text: String {
        let latency = "\(Numbers.fixed(check.secondsPerEdge * 1e3, 3)) ms from rank to rank"
        let job = Finding("job", "job", "\(members.count) ranks, \(route); \(latency)")
        return DoctorReport(own.findings + [job] + edgeFindings + problems).text
    }

    /// A JSON object: `ok`, `route`, `seconds_per_edge`, `edges`, and `ranks` with every rank's report.
    package var json: JSONValue {
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
