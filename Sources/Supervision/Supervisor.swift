import Platform

/// Runs a job's ranks, and starts all of them again when one fails.
public final class Supervisor {
    private let job: Job
    private let signals: Int32
    private var console: LauncherConsole
    private let continuation: () -> Job.Continuation

    /// - Parameters:
    ///   - signals: signals to pass on are read from it, as from a `SignalPipe`; reading must not wait.
    ///   - output: where what ranks write to standard output goes: that of rank 0 as it is, others' with their rank
    ///     before each line.
    ///   - errors: where their standard error goes, with the rank before each line, and what the launcher says.
    ///   - continuation: asked after a failure how to go on.
    public init(
        _ job: Job,
        signals: Int32,
        output: Int32 = STDOUT_FILENO,
        errors: Int32 = STDERR_FILENO,
        continuation: @escaping () -> Job.Continuation
    ) {
        precondition(job.rankCount > 0, "a job has at least one rank")
        self.job = job
        self.signals = signals
        self.continuation = continuation
        console = LauncherConsole(output: output, errors: errors)
    }

    /// Returns when every rank has ended and none is to be started again.
    ///
    /// - Returns: the code to leave with: 0 when all are done, 75 when they stopped after saving, else that of the rank
    ///   that is to blame.
    /// - Throws: `UserError` when a rank cannot be started; then none is left.
    public func run() throws -> Int32 {
        let start = ContinuousClock.now
        var arguments = job.arguments
        var restarts = 0
        while true {
            let run: JobRun
            do {
                run = try JobRun(job, arguments: arguments, signals: signals)
            } catch {
                console.flush(signals: signals)
                throw error
            }
            let end = run.wait(&console)
            if end.mayBeTriedAgain, restarts < job.maxRestarts, JobRun.take(signals).isEmpty {
                let next = continuation()
                restarts += 1
                console.say("restart \(restarts) of \(job.maxRestarts) after \(end.summary); \(next.beginning)")
                arguments = next.arguments
                continue
            }
            let starts = restarts == 0 ? "" : ", \(restarts + 1) starts"
            let ranks = job.rankCount == 1 ? "1 rank" : "\(job.rankCount) ranks"
            console.say("\(ranks)\(starts), \(Self.text(.now - start)): \(end.summary)")
            console.flush(signals: signals)
            return end.exitCode
        }
    }

    private static func text(_ duration: Duration) -> String {
        let tenths = Int(duration / .milliseconds(100))
        let seconds = tenths / 10
        guard seconds >= 60 else { return "\(seconds).\(tenths % 10) s" }
        return seconds < 3600 ? "\(seconds / 60) min \(seconds % 60) s" : "\(seconds / 3600) h \(seconds / 60 % 60) min"
    }
}
