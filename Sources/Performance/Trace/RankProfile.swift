import Formats
import Platform

/// The profile of one rank, read from the file that `--profile` wrote. Times are in nanoseconds of that rank's clock.
struct RankProfile {
    /// The times of one update.
    struct Step: Equatable {
        var iteration: Int
        var start, end: Int
        /// The CPU time of the thread that makes the step.
        var processorTime: Int
        /// The waits for other ranks, in order: first for the sum of the gradients, then for the loss.
        var waits: [Range<Int>] = []

        var waiting: Int { waits.reduce(0) { $0 + $1.count } }
        /// The time without the waits for other ranks.
        var working: Int { end - start - waiting }
        /// The time at which this rank's gradient was complete.
        var ready: Int { waits.first?.lowerBound ?? end }
    }

    let path: String
    let rank, worldSize: Int
    let host: String
    let threads: Int
    /// The number of sequences that this rank computes per step.
    let sequences: Int
    let clock: (before: [ClockOffset.Round], after: [ClockOffset.Round])
    let steps: [Step]
    /// The first worker's time by part over all steps, without waits for other ranks. Time in nested parts counts only
    /// for the innermost.
    let parts: [String: Int]
    private let origin: Int

    /// The rank of a profile, read from its first event; nil if the file is not a profile.
    static func rank(ofFile path: String) -> Int? {
        guard let file = try? MappedFile(path: path), file.bytes.starts(with: "[\n{\"name\":\"\(identity)\"".utf8)
        else { return nil }
        let line = file.bytes.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
        return (try? JSONValue(parsing: Array(line.dropLast())))?["args"]?["rank"]?.integerValue
    }

    /// The name of the header event, which says which rank the profile belongs to.
    static let identity = "ddp_train_profile"

    /// - Throws: `UserError(.data)` if the file is not a valid profile, `UserError(.inputOutput)` if it cannot be read.
    init(path: String) throws {
        self.path = path
        var reader = Reader()
        try Self.forEachEvent(path) { event, _ in try reader.add(event, path: path) }
        guard let header = reader.identity else { throw Self.damaged(path) }
        func number(_ name: String) throws -> Int {
            guard let value = header[name]?.integerValue, Self.isInRange(value) else { throw Self.damaged(path) }
            return value
        }
        let format = try number("format")
        guard format == 1 else {
            throw UserError(
                .data,
                "\(path) is a profile of format \(format), but this version of ddp-train reads only format 1"
            )
        }
        (rank, worldSize) = (try number("rank"), try number("world_size"))
        (threads, sequences) = (try number("threads"), try number("sequences"))
        let origin = try number("origin_ns")
        self.origin = origin
        host = header["host"]?.stringValue ?? ""
        func rounds(_ name: String) -> [ClockOffset.Round] {
            (header[name]?.arrayValue ?? []).compactMap { round in
                guard let entered = round.arrayValue?.first?.integerValue, Self.isInRange(entered),
                    let exited = round.arrayValue?.last?.integerValue, Self.isInRange(exited)
                else { return nil }
                return ClockOffset.Round(entered: origin + entered, exited: origin + exited)
            }
        }
        clock = (rounds("clock_before"), rounds("clock_after"))
        (steps, parts) = reader.finish(origin: origin)
    }

    /// Reads the file again and calls `body` with each event. `times` is the start and end of a slice in nanoseconds of
    /// the rank's clock, and nil for other events.
    func forEachEvent(_ body: (JSONValue, _ times: (start: Int, end: Int)?) throws -> Void) throws {
        try Self.forEachEvent(path) { event, times in
            try body(event, times.map { (origin + $0.start, origin + $0.end) })
        }
    }

    private static func forEachEvent(
        _ path: String,
        _ body: (JSONValue, _ times: (start: Int, end: Int)?) throws -> Void
    ) throws {
        // Parse line by line: the file may have hundreds of thousands of events.
        for line in try FileSystem.read(path).split(separator: UInt8(ascii: "\n")) where line.count > 1 {
            let text = line.last == UInt8(ascii: ",") ? line.dropLast() : line
            guard let event = try? JSONValue(parsing: Array(text)) else { throw damaged(path) }
            try body(event, times(event))
        }
    }

    /// The start and end of a slice in nanoseconds from the file's origin; nil for other events.
    private static func times(_ event: JSONValue) -> (start: Int, end: Int)? {
        guard event["ph"]?.stringValue == "X", let start = event["ts"]?.numberValue,
            let duration = event["dur"]?.numberValue, abs(start) < 1e14, (0..<1e14).contains(duration)
        else { return nil }
        let from = Int((start * 1000).rounded())
        return (from, from + Int((duration * 1000).rounded()))
    }

    /// Limits values so that sums of a few of them do not overflow.
    private static func isInRange(_ value: Int) -> Bool { value.magnitude < 1 << 60 }

    private static func damaged(_ path: String) -> UserError {
        UserError(.data, "\(path) is damaged or was not written by --profile: record it again")
    }

    /// Collects header, steps and slices, with times relative to the file's origin.
    private struct Reader {
        var identity: JSONValue?
        var steps: [Step] = []
        var slices: [(name: String, start: Int, end: Int)] = []

        mutating func add(_ event: JSONValue, path: String) throws {
            guard let name = event["name"]?.stringValue else { throw RankProfile.damaged(path) }
            if name == RankProfile.identity { identity = event["args"] }
            guard let (start, end) = RankProfile.times(event), event["tid"]?.integerValue == 0 else { return }
            if name.hasPrefix("step "), let iteration = Int(name.dropFirst("step ".count)) {
                let processor = min(max(0, event["args"]?["processor_us"]?.integerValue ?? 0), 1 << 40)
                steps.append(Step(iteration: iteration, start: start, end: end, processorTime: processor * 1000))
            } else {
                slices.append((name, start, end))
            }
        }

        func finish(origin: Int) -> (steps: [Step], parts: [String: Int]) {
            var steps = steps
            let waits = slices.filter { $0.name == "waiting_for_ranks" }.sorted { $0.start < $1.start }
            for index in steps.indices {
                steps[index].waits = waits.filter { steps[index].start <= $0.start && $0.end <= steps[index].end }
                    .map { origin + $0.start..<origin + $0.end }
                steps[index].start += origin
                steps[index].end += origin
            }
            var parts: [String: Int] = [:]
            // Slices are sorted by start, longer ones first, so the slices on the stack enclose the current one.
            var open: [(name: String, end: Int)] = []
            for slice in slices.sorted(by: { ($0.start, $1.end) < ($1.start, $0.end) }) {
                while let last = open.last, last.end <= slice.start { open.removeLast() }
                parts[slice.name, default: 0] += slice.end - slice.start
                if let around = open.last { parts[around.name, default: 0] -= slice.end - slice.start }
                open.append((slice.name, slice.end))
            }
            parts["waiting_for_ranks"] = nil
            return (steps, parts)
        }
    }
}
