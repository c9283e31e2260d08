import Compute
import Formats

/// Records some steps of a run, and writes what every worker did when as a trace for chrome://tracing or Perfetto.
///
/// The first steps touch memory for the first time and are left out, unless the run has no more. Recording ends after
/// `stepCount` steps, or sooner when there is no room for more events, so that memory and file are bounded.
final class StepTrace {
    /// Steps that are not recorded.
    static let warmUp = 2
    /// Steps that are recorded at most.
    static let stepCount = 10
    /// Events that are kept at most, over all workers: 5 MB in memory, some 20 MB as a file.
    static let eventCount = 200_000

    private let file: AtomicFile
    /// Made with the first step that is recorded.
    private var profile: Profile?
    private let firstIteration: Int
    private var iterations: [Int] = []
    private var isWritten = false

    /// The trace that a run's `profile` asks for, nil when it asks for none.
    ///
    /// - Parameter iteration: updates made before the run.
    /// - Throws: `UserError(.inputOutput)` when the file cannot be written; `UserError(.usage)` when there are no updates.
    init?(_ values: TrainingConfiguration, from iteration: Int) throws {
        let path = values.profile
        guard !path.isEmpty else { return nil }
        guard !values.evalOnly else {
            throw UserError(
                .usage,
                "--profile records updates, and with eval_only there are none: leave out one of them"
            )
        }
        guard FileSystem.kind(of: path) != .folder else {
            throw UserError(.inputOutput, "--profile=\(path) is a folder: name a file, such as \(path)/trace.json")
        }
        file = try AtomicFile(path: path)
        firstIteration = iteration + max(0, min(Self.warmUp, values.maxIters - iteration - 1))
    }

    /// Makes a step, recorded if it is one of those.
    ///
    /// - Throws: what the step throws.
    func around<Result>(_ iteration: Int, pool: WorkerPool, _ step: () throws -> Result) throws -> Result {
        guard !isWritten, iteration >= firstIteration else { return try step() }
        let profile = self.profile ?? Profile(pool: pool, eventsPerWorker: Self.eventCount / pool.threadCount)
        self.profile = profile
        iterations.append(iteration)
        return try profile.record(step)
    }

    /// Whether no further step would be recorded.
    private var isComplete: Bool { iterations.count >= Self.stepCount || droppedEvents > 0 }
    private var droppedEvents: Int { profile?.droppedEvents ?? 0 }

    /// Writes the trace once all steps are recorded, or what there is at the end of a run.
    ///
    /// - Returns: a line that says so, when it was written.
    /// - Throws: `UserError(.inputOutput)`.
    func write(atEnd: Bool) throws -> String? {
        guard !isWritten, isComplete || atEnd else { return nil }
        isWritten = true
        guard let profile else { return "no profile: \(file.path) is not written, as no step was made" }
        try ChromeTrace.write(profile, steps: iterations.map { "step \($0)" }, to: file)
        try file.commit()
        let steps = iterations.count
        let cut = droppedEvents > 0 ? "; events beyond \(Numbers.grouped(Self.eventCount)) are left out" : ""
        return "profile of \(steps) step\(steps == 1 ? "" : "s"): \(file.path)\(cut)"
    }
}
