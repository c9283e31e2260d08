import Collectives
import Compute
import Configuration
import Platform

/// Records some steps of a run, and writes what every worker did when as a trace for chrome://tracing or Perfetto.
///
/// Each rank writes a file of its own, on its own clock; barriers before the first step and after the last tell how far the
/// clocks are apart, and `ddp-train trace` lays the files over each other.
///
/// The first steps touch memory for the first time and are left out, unless the run has no more. Recording ends after
/// `ProfileExtent.stepCount` steps, or sooner when there is no room for more events, so that memory and file are bounded.
public final class StepTrace {
    /// How far the run is when a trace may be written.
    enum RunState {
        case goesOn, ended
        /// Other ranks may not be there any more.
        case failed
    }

    private let communicator: Communicator
    private let path: String
    private let file: AtomicFile
    /// Made with the first step that is recorded.
    private var profile: Profile?
    private var sequences = 0
    private var clockBefore: ClockRounds?
    private let firstIteration: Int
    private var iterations: [Int] = []
    private var isComplete = false
    private var isWritten = false

    /// The trace that a run's `profile` asks for, nil when it asks for none.
    ///
    /// - Parameters:
    ///   - iteration: updates made before the run.
    ///   - communicator: of ranks that all make such a trace.
    /// - Throws: `UserError(.inputOutput)` when the file cannot be written; `UserError(.usage)` when there are no updates.
    init?(_ values: TrainingConfiguration, from iteration: Int, communicator: Communicator) throws {
        path = values.profile
        guard !path.isEmpty else { return nil }
        guard !values.evalOnly else {
            throw communicator.common(
                UserError(.usage, "--profile records updates, and with eval_only there are none: leave out one of them")
            )
        }
        guard FileSystem.kind(of: path) != .folder else {
            throw UserError(.inputOutput, "--profile=\(path) is a folder: name a file, such as \(path)/trace.json")
        }
        self.communicator = communicator
        file = try AtomicFile(path: Self.path(path, ofRank: communicator.rank))
        firstIteration = iteration + max(0, min(ProfileExtent.warmUp, values.maxIters - iteration - 1))
    }

    /// Where a rank writes: `trace.json`, then `trace.rank1.json` and so on.
    public static func path(_ path: String, ofRank rank: Int) -> String {
        guard rank > 0 else { return path }
        let suffix = ".json"
        return path.hasSuffix(suffix) ? "\(path.dropLast(suffix.count)).rank\(rank)\(suffix)" : "\(path).rank\(rank)"
    }

    /// Makes an update, recorded if it is one of those.
    ///
    /// - Throws: what the update throws; `CollectiveError.failed`.
    func around<Result>(_ iteration: Int, _ step: TrainingStep, _ update: () throws -> Result) throws -> Result {
        guard !isComplete, iteration >= firstIteration else { return try update() }
        if profile == nil {
            clockBefore = try ClockRounds(communicator)
            let threads = step.model.pool.threadCount
            profile = Profile(pool: step.model.pool, eventsPerWorker: ProfileExtent.eventCount / threads)
            sequences = step.sequences
            communicator.keepSpans(true)
        }
        iterations.append(iteration)
        let result: Result
        do {
            result = try profile!.record(update)
        } catch let abandoned as TrainingStep.Abandoned {
            // No update was made; all ranks abandon the same one.
            iterations.removeLast()
            throw abandoned
        }
        // All ranks end with the same step, though one may be out of room sooner.
        let isFull = try communicator.agree(onMaximum: profile!.droppedEvents > 0 ? 1 : 0) > 0
        isComplete = isFull || iterations.count >= ProfileExtent.stepCount
        return result
    }

    /// Writes the trace once all steps are recorded, or what there is at the end of a run.
    ///
    /// - Returns: a line that says so, when it was written.
    /// - Throws: `UserError(.inputOutput)`; `CollectiveError.failed`.
    func write(_ run: RunState) throws -> String? {
        guard !isWritten, isComplete || run != .goesOn else { return nil }
        isWritten = true
        guard let profile, let clockBefore, !iterations.isEmpty else {
            return "no profile: \(file.path) is not written, as no step was made"
        }
        let spans = communicator.keepSpans(false)
        let header = ChromeTrace.Header(
            rank: communicator.rank,
            worldSize: communicator.worldSize,
            host: communicator.members[communicator.rank].host,
            sequences: sequences,
            clockBefore: clockBefore,
            clockAfter: run == .failed ? nil : try ClockRounds(communicator)
        )
        try ChromeTrace.write(profile, steps: iterations, communication: spans, header: header, to: file)
        try file.commit()
        let steps = "\(iterations.count) step\(iterations.count == 1 ? "" : "s")"
        let cut =
            profile.droppedEvents > 0 ? "; events beyond \(Numbers.grouped(ProfileExtent.eventCount)) are left out" : ""
        guard communicator.worldSize > 1 else { return "profile of \(steps): \(path)\(cut)" }
        return "profile of \(steps), a file each rank: \(path) and beside it; ddp-train trace \(path) joins them\(cut)"
    }
}
