import Formats
import Platform
import Training

/// The profiles of all ranks of a run, laid over each other on rank 0's clock.
///
/// ```swift
/// let trace = try JobTrace(place: "out")
/// try trace.write(to: "out/trace-all.json")
/// print(trace.report.lines)
/// ```
package struct JobTrace {
    /// By rank.
    let profiles: [RankProfile]
    /// Of each rank's clock against rank 0's.
    let offsets: [ClockOffset?]

    /// - Parameter place: rank 0's file, as `--profile` named it, or a run's folder in which there is one.
    /// - Throws: `UserError(.inputOutput)` when there is none, or that of a rank is missing; `UserError(.data)` when one is damaged,
    ///   or they are not of one run.
    package init(place: String) throws {
        let kind = FileSystem.kind(of: place)
        guard kind != nil else {
            throw UserError(
                .inputOutput,
                "there is no \(place): name a run's folder, or record a profile first, with --profile=\(place)/trace.json"
            )
        }
        let path = kind == .folder ? try Self.find(inFolder: place) : place
        let main = try RankProfile(path: path)
        guard main.rank == 0 else {
            throw UserError(.data, "\(path) is the profile of rank \(main.rank): name that of rank 0")
        }
        let others = try (1..<max(1, main.worldSize)).map { rank in
            let path = StepTrace.path(path, ofRank: rank)
            guard FileSystem.kind(of: path) == .file else {
                throw UserError(
                    .inputOutput,
                    "there is no \(path), the profile of rank \(rank): it lies under that name where the rank ran; copy it here"
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
                    "\(other.path) and \(main.path) are not of one run: remove old profiles and record them again"
                )
            }
        }
        self.profiles = profiles
        offsets = profiles.map { $0.rank == 0 ? nil : ClockOffset(own: $0.clock, other: main.clock) }
    }

    /// The one profile of a rank 0 in a folder.
    private static func find(inFolder folder: String) throws -> String {
        let paths = try FileSystem.names(inFolder: folder).sorted().filter { $0.hasSuffix(".json") }
            .map { "\(folder)/\($0)" }
            .filter { RankProfile.rank(ofFile: $0) == 0 }
        guard let path = paths.first else {
            throw UserError(
                .inputOutput,
                "there is no profile in \(folder): record one with --profile=\(folder)/trace.json, or name its file"
            )
        }
        guard paths.count == 1 else {
            throw UserError(
                .usage,
                "there are several profiles in \(folder): name one of \(paths.joined(separator: ", "))"
            )
        }
        return path
    }

    /// Where the joined trace goes unless told otherwise.
    package var defaultPath: String {
        let path = profiles[0].path
        let stem = path.hasSuffix(".json") ? String(path.dropLast(".json".count)) : path
        return stem + ".all.json"
    }

    /// A moment of a rank's clock on rank 0's, both in nanoseconds.
    func toMainClock(_ time: Int, ofRank rank: Int) -> Int { offsets[rank]?.toOtherClock(time) ?? time }

    /// What the steps say of ranks that wait for each other.
    package var report: StragglerReport { StragglerReport(self) }

    /// Writes all ranks' events as one trace: a process each rank, microseconds from the first step of all.
    ///
    /// - Throws: `UserError(.inputOutput)`; `UserError(.usage)` when that would replace a profile of a rank.
    package func write(to path: String) throws {
        guard RankProfile.rank(ofFile: path) == nil else {
            throw UserError(.usage, "\(path) is a rank's own profile, and is not replaced: choose another --out")
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
                // What only `ddp-train trace` reads is of one rank's clock.
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
