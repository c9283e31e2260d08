import Formats
import Platform
import Training

/// The profiles of all ranks of a run, aligned to rank 0's clock.
///
/// ```swift
/// let trace = try JobTrace(place: "out")
/// try trace.write(to: "out/trace-all.json")
/// print(trace.report.lines)
/// ```
package struct JobTrace {
    /// Indexed by rank.
    let profiles: [RankProfile]
    /// The offset of each rank's clock from rank 0's; nil if unknown, and for rank 0.
    let offsets: [ClockOffset?]

    /// - Parameter place: rank 0's file as given to `--profile`, or a run's folder that contains it.
    /// - Throws: `UserError(.inputOutput)` if a rank's profile is missing, `UserError(.usage)` if the folder contains
    ///   several, and `UserError(.data)` if a profile is damaged or the profiles are not from the same run.
    package init(place: String) throws {
        let kind = FileSystem.kind(of: place)
        guard kind != nil else {
            throw UserError(
                .inputOutput,
                "\(place) does not exist: give a run's folder, or record a profile first with --profile=\(place)/trace.json"
            )
        }
        let path = kind == .folder ? try Self.find(inFolder: place) : place
        let main = try RankProfile(path: path)
        guard main.rank == 0 else {
            throw UserError(.data, "\(path) is the profile of rank \(main.rank): give the profile of rank 0")
        }
        let others = try (1..<max(1, main.worldSize)).map { rank in
            let path = StepTrace.path(path, ofRank: rank)
            guard FileSystem.kind(of: path) == .file else {
                throw UserError(
                    .inputOutput,
                    "\(path), the profile of rank \(rank), does not exist: copy it from the machine where the rank ran"
                )
            }
            return try RankProfile(path: path)
        }
        try self.init(profiles: [main] + others)
    }

    init(profiles: [RankProfile]) throws {
        let main = profiles[0]
        for (rank, other) in profiles.enumerated() {
            guard other.rank == rank, other.worldSize == main.worldSize,
                other.steps.map(\.iteration) == main.steps.map(\.iteration)
            else {
                throw UserError(
                    .data,
                    "\(other.path) and \(main.path) are not from the same run: remove old profiles and record again"
                )
            }
        }
        self.profiles = profiles
        offsets = profiles.map { $0.rank == 0 ? nil : ClockOffset(own: $0.clock, other: main.clock) }
    }

    /// The only profile of rank 0 in a folder.
    private static func find(inFolder folder: String) throws -> String {
        let paths = try FileSystem.names(inFolder: folder).sorted().filter { $0.hasSuffix(".json") }
            .map { "\(folder)/\($0)" }
            .filter { RankProfile.rank(ofFile: $0) == 0 }
        guard let path = paths.first else {
            throw UserError(
                .inputOutput,
                "\(folder) has no profile: record one with --profile=\(folder)/trace.json, or give the file's path"
            )
        }
        guard paths.count == 1 else {
            throw UserError(
                .usage,
                "\(folder) has several profiles: give one of \(paths.joined(separator: ", "))"
            )
        }
        return path
    }

    /// The default path of the merged trace.
    package var defaultPath: String {
        let path = profiles[0].path
        let stem = path.hasSuffix(".json") ? String(path.dropLast(".json".count)) : path
        return stem + ".all.json"
    }

    /// Converts a time of a rank's clock to rank 0's clock, both in nanoseconds.
    func toMainClock(_ time: Int, ofRank rank: Int) -> Int { offsets[rank]?.toOtherClock(time) ?? time }

    package var report: StragglerReport { StragglerReport(self) }

    /// Writes the events of all ranks as one trace. Each rank is a process. Times are in microseconds from the earliest
    /// first step.
    ///
    /// - Throws: `UserError(.inputOutput)` if writing fails, `UserError(.usage)` if `path` is a rank's profile.
    package func write(to path: String) throws {
        guard RankProfile.rank(ofFile: path) == nil else {
            throw UserError(.usage, "\(path) is a rank's profile and would be replaced: choose another --out")
        }
        let origin =
            profiles.compactMap { profile in
                profile.steps.first.map { toMainClock($0.start, ofRank: profile.rank) }
            }.min() ?? 0
        let file = try AtomicFile(path: path)
        var text = "["
        var separator = "\n"
        for profile in profiles {
            try profile.forEachEvent { event, times in
                // Leave out the header, which holds times of one rank's clock and is read only by `ddp-train trace`.
                if event["name"]?.stringValue == RankProfile.identity { return }
                text += separator
                separator = ",\n"
                if let times {
                    let start = toMainClock(times.start, ofRank: profile.rank) - origin
                    text += Self.moved(event, start: start, end: toMainClock(times.end, ofRank: profile.rank) - origin)
                } else {
                    text += event.text()
                }
                if text.utf8.count > 1 << 16 {
                    try file.append(text)
                    text = ""
                }
            }
        }
        try file.append(text + "\n]\n")
        try file.commit()
    }

    private static func moved(_ event: JSONValue, start: Int, end: Int) -> String {
        let members = (event.objectValue ?? []).map { member in
            switch member.name {
            case "ts": JSONValue.Member("ts", .number(Double(start) / 1000))
            case "dur": JSONValue.Member("dur", .number(Double(end - start) / 1000))
            default: member
            }
        }
        return JSONValue.object(members).text()
    }
}
