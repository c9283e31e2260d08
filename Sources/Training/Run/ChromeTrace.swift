import Compute
import Formats

/// What workers did when, in the JSON array form of Chrome's Trace Event Format: one row for each worker and one for
/// communication, every step a slice that encloses what belongs to it, times in microseconds from the first step on.
enum ChromeTrace {
    /// - Parameter steps: names of the profile's recordings.
    /// - Throws: `UserError(.inputOutput)`.
    static func write(_ profile: Profile, steps: [String], to file: AtomicFile) throws {
        let origin = profile.recordings.first?.start ?? 0
        let communicationRow = profile.workerCount
        try file.append("[\n")
        for row in 0...communicationRow {
            let name = row == communicationRow ? "communication" : row == 0 ? "worker 0 (main)" : "worker \(row)"
            try file.append(metadata("thread_name", row: row, "name", .string(name)) + ",\n")
            try file.append(metadata("thread_sort_index", row: row, "sort_index", .integer(row)) + ",\n")
        }
        for (name, recording) in zip(steps, profile.recordings) {
            for row in 0..<profile.workerCount {
                try file.append(slice(name, row, start: recording.start - origin, end: recording.end - origin) + ",\n")
            }
        }
        for row in 0..<profile.workerCount {
            var lines = ""
            for event in profile.events(ofWorker: row) {
                // A task of a phase is what belongs to no part of its own, and encloses those that do.
                let name = event.part == .other ? "task" : event.part.name
                lines += slice(name, row, start: event.start - origin, end: event.end - origin) + ",\n"
                if lines.utf8.count > 1 << 16 {
                    try file.append(lines)
                    lines = ""
                }
            }
            try file.append(lines)
        }
        // Last, so that no comma follows.
        try file.append(metadata("process_name", row: 0, "name", .string("ddp-train")) + "\n]\n")
    }

    private static func metadata(_ kind: String, row: Int, _ name: String, _ value: JSONValue) -> String {
        JSONValue.object([
            .init("name", .string(kind)), .init("ph", .string("M")), .init("pid", .integer(0)),
            .init("tid", .integer(row)),
            .init("args", .object([.init(name, value)])),
        ]).text()
    }

    /// - Parameters: `start` and `end` in nanoseconds.
    private static func slice(_ name: String, _ row: Int, start: UInt64, end: UInt64) -> String {
        "{\"name\":\"\(name)\",\"ph\":\"X\",\"pid\":0,\"tid\":\(row),\"ts\":\(microseconds(start)),"
            + "\"dur\":\(microseconds(end - start))}"
    }

    /// With all three digits after the point, so that slices that touch still do.
    private static func microseconds(_ nanoseconds: UInt64) -> String {
        "\(nanoseconds / 1000).\(String(nanoseconds % 1000).zeroPadded(to: 3))"
    }
}
