import Collectives
import Compute
import Formats
import Platform

/// What the workers of a rank did when, in the JSON array form of Chrome's Trace Event Format: the rank is the process, with one
/// row for each worker and one for communication; every step is a slice that encloses what belongs to it; times are
/// microseconds from the first step on.
///
/// The first event, which viewers pass over, says whose it is (`format` 1; see `Header`), for `ddp-train trace`. An event stands
/// on a line of its own.
enum ChromeTrace {
    /// Whose trace it is, and how its clock compares with others'.
    struct Header {
        let rank, worldSize: Int
        let host: String
        /// Of a step, those that this rank computes.
        let sequences: Int
        let clockBefore: ClockRounds
        /// Nil when the run failed.
        let clockAfter: ClockRounds?
    }

    /// - Parameters:
    ///   - steps: iterations of the profile's recordings, from the first on; what was recorded after these is left out.
    ///   - communication: what the communication thread did meanwhile.
    /// - Throws: `UserError(.inputOutput)`.
    static func write(
        _ profile: Profile,
        steps: [Int],
        communication: [Communicator.Span],
        header: Header,
        to file: AtomicFile
    ) throws {
        let recordings = profile.recordings.prefix(steps.count)
        let (origin, end) = (recordings.first?.start ?? 0, recordings.last?.end ?? 0)
        var lines = Lines(file: file, rank: header.rank, origin: origin)
        try file.append("[\n")
        try lines.metadata("ddp_train_profile", row: 0, identity(header, threads: profile.workerCount, origin: origin))
        let process = header.worldSize > 1 ? "rank \(header.rank) (\(header.host))" : "ddp-train"
        try lines.metadata("process_name", row: 0, [.init("name", .string(process))])
        try lines.metadata("process_sort_index", row: 0, [.init("sort_index", .integer(header.rank))])
        let communicationRow = profile.workerCount
        for row in 0...communicationRow {
            let name = row == communicationRow ? "communication" : row == 0 ? "worker 0 (main)" : "worker \(row)"
            try lines.metadata("thread_name", row: row, [.init("name", .string(name))])
            try lines.metadata("thread_sort_index", row: row, [.init("sort_index", .integer(row))])
        }
        for (iteration, recording) in zip(steps, recordings) {
            for row in 0..<profile.workerCount {
                // How long the step's own thread had a processor.
                let arguments = row == 0 ? ",\"args\":{\"processor_us\":\(recording.processorTime / 1000)}" : ""
                try lines.slice("step \(iteration)", row, recording.start, recording.end, arguments)
            }
        }
        for row in 0..<profile.workerCount {
            for event in profile.events(ofWorker: row) where event.end <= end {
                // A task of a phase is what belongs to no part of its own, and encloses those that do.
                try lines.slice(event.part == .other ? "task" : event.part.name, row, event.start, event.end)
            }
        }
        for span in communication where span.start >= origin && span.start < end {
            switch span.work {
            case .sum(let bytes):
                try lines.slice("sum", communicationRow, span.start, span.end, ",\"args\":{\"bytes\":\(bytes)}")
            case .exchange: try lines.slice("exchange", communicationRow, span.start, span.end)
            }
        }
        try lines.end()
        try file.append("\n]\n")
    }

    private static func identity(_ header: Header, threads: Int, origin: UInt64) -> [JSONValue.Member] {
        /// Nanoseconds from the origin, those before it below zero.
        func rounds(_ clock: ClockRounds) -> JSONValue {
            .array(
                clock.rounds.map { round in
                    .array([round.came, round.left].map { .integer(Int(bitPattern: UInt($0 &- origin))) })
                }
            )
        }
        return [
            .init("format", .integer(1)), .init("rank", .integer(header.rank)),
            .init("world_size", .integer(header.worldSize)), .init("host", .string(header.host)),
            .init("threads", .integer(threads)), .init("sequences", .integer(header.sequences)),
            .init("origin_ns", .integer(Int(origin))), .init("clock_before", rounds(header.clockBefore)),
            .init("clock_after", header.clockAfter.map(rounds) ?? .null),
        ]
    }

    /// Events one after the other, with commas between them, gathered before they are written.
    private struct Lines {
        let file: AtomicFile
        let rank: Int
        let origin: UInt64
        private var text = ""
        private var isFirst = true

        init(file: AtomicFile, rank: Int, origin: UInt64) {
            (self.file, self.rank, self.origin) = (file, rank, origin)
        }

        mutating func metadata(_ kind: String, row: Int, _ arguments: [JSONValue.Member]) throws {
            try append(
                JSONValue.object([
                    .init("name", .string(kind)), .init("ph", .string("M")), .init("pid", .integer(rank)),
                    .init("tid", .integer(row)), .init("args", .object(arguments)),
                ]).text()
            )
        }

        /// - Parameters:
        ///   - start: nanoseconds of the monotonic clock, as `end`.
        ///   - more: members that follow, with a comma before each.
        mutating func slice(_ name: String, _ row: Int, _ start: UInt64, _ end: UInt64, _ more: String = "") throws {
            try append(
                "{\"name\":\"\(name)\",\"ph\":\"X\",\"pid\":\(rank),\"tid\":\(row),\"ts\":\(microseconds(start - origin)),"
                    + "\"dur\":\(microseconds(end - start))\(more)}"
            )
        }

        /// With all three digits after the point, so that slices that touch still do.
        private func microseconds(_ nanoseconds: UInt64) -> String {
            "\(nanoseconds / 1000).\(String(nanoseconds % 1000).zeroPadded(to: 3))"
        }

        private mutating func append(_ event: String) throws {
            text += isFirst ? event : ",\n" + event
            isFirst = false
            if text.utf8.count > 1 << 16 { try end() }
        }

        /// Writes what has been gathered.
        mutating func end() throws {
            try file.append(text)
            text = ""
        }
    }
}
