import Formats
import Platform

/// What `--profile` wrote of one rank, read again. Times are nanoseconds of that rank's clock.
struct RankProfile {
    /// An update.
    struct Step: Equatable {
        var iteration: Int
        var start, end: Int
        /// For how long the thread that makes the step had a processor.
        var processorTime: Int
        /// Waiting for other ranks, in order: first for the sum of the gradients, then for the loss.
        var waits: [Range<Int>] = []

        var waiting: Int { waits.reduce(0) { $0 + $1.count } }
        /// All that is not waiting for other ranks.
        var working: Int { end - start - waiting }
        /// When this rank's gradient was ready.
        var ready: Int { waits.first?.lowerBound ?? end }
    }

    let path: String
    let rank, worldSize: Int
    let host: String
    let threads: Int
    /// Of each step, those that this rank computes.
    let sequences: Int
    let clock: (before: [ClockOffset.Round], after: [ClockOffset.Round])
    let steps: [Step]
    /// Nanoseconds of the first worker in each part of a step, over all steps, waiting for ranks exited out. Of parts within each
    /// other the inner one has the time.
    let parts: [String: Int]
    private let origin: Int

    /// The rank whose profile a file is, by its first event alone; nil of any other file.
    static func rank(ofFile path: String) -> Int? {
        guard let file = try? MappedFile(path: path), file.bytes.starts(with: "[\n{\"name\":\"\(identity)\"".utf8)
        else { return nil }
        let line = file.bytes.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
        return (try? JSONValue(parsing: Array(line.dropLast())))?["args"]?["rank"]?.integerValue
    }

    /// The name of the event that says whose profile it is.
    static let identity = "ddp_train_profile"

    /// - Throws: `UserError(.data)` when the file is no profile of this program; `UserError(.inputOutput)`.
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
            throw UserError(.data, "\(path) is a profile of format \(format), and this version reads format 1")
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

    /// Reads the events again, with their times as nanoseconds of the rank's clock: `start` and `end` of a slice, nil of others.
    func forEachEvent(_ body: (JSONValue, _ times: (start: Int, end: Int)?) throws -> Void) throws {
        try Self.forEachEvent(path) { event, times in
            try body(event, times.map { (origin + $0.start, origin + $0.end) })
        }
    }

    private static func forEachEvent(
        _ path: String,
        _ body: (JSONValue, _ times: (start: Int, end: Int)?) throws -> Void
    ) throws {
        // Line by line: the file may have hundreds of thousands of events.
        for line in try FileSystem.read(path).split(separator: UInt8(ascii: "\n")) where line.count > 1 {
            let text = line.last == UInt8(ascii: ",") ? line.dropLast() : line
            guard let event = try? JSONValue(parsing: Array(text)) else { throw damaged(path) }
            try body(event, times(event))
        }
    }

    /// Of a slice, in nanoseconds from the file's origin.
    private static func times(_ event: JSONValue) -> (start: Int, end: Int)? {
        guard event["ph"]?.stringValue == "X", let start = event["ts"]?.numberValue,
            let duration = event["dur"]?.numberValue, abs(start) < 1e14, (0..<1e14).contains(duration)
        else { return nil }
        let from = Int((start * 1000).rounded())
        return (from, from + Int((duration * 1000).rounded()))
    }

    /// Sums of a few such numbers are numbers too.
    private static func isInRange(_ value: Int) -> Bool { value.magnitude < 1 << 60 }

    private static func damaged(_ path: String) -> UserError {
        UserError(.data, "\(path) is not a profile that --profile wrote, or is damaged: make it again")
    }

    /// Gathers what matters of the events, in the file's own times.
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
            // In the order of starts with the longer first, what is on the stack encloses what comes.
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
