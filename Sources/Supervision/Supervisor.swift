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
    ///   that is to blame. A signal in the pause before a restart is a stop after saving where there is a checkpoint.
    /// - Throws: `UserError` when a rank cannot be started, or the logs cannot be written from the first; then none is left.
    public func run() throws -> Int32 {
        let logs = try job.logFolder.map { try RankLogs(folder: $0, rankCount: job.rankCount) }
        defer { console.flush(signals: signals) }
        let start = ContinuousClock.now
        var (arguments, startReason) = (job.arguments, "")
        var (starts, restarts) = (0, 0)
        while true {
            starts += 1
            logs?.mark(start: starts, startReason)
            let end = try runOnce(arguments, logs)
            let next = end.mayBeTriedAgain && job.maxRestarts > 0 ? continuation() : nil
            if next?.hasProgressed == true { restarts = 0 }
            var (summary, code) = (end.summary, end.exitCode)
            if let next, restarts < job.maxRestarts {
                restarts += 1
                guard let signal = pause(before: restarts, starts, end, next) else {
                    arguments = next.arguments
                    startReason = ", \(next.beginning), after \(end.summary)"
                    continue
                }
                let outcome = next.canBeResumed ? "go on with --init_from=resume" : "nothing was saved"
                summary = "\(signal) before restart \(restarts) of \(job.maxRestarts) after \(summary); \(outcome)"
                if next.canBeResumed { code = ExitStatus.stopped }
            }
            close(logs)
            let startsText = starts == 1 ? "" : ", \(starts) starts"
            let ranks = job.rankCount == 1 ? "1 rank" : "\(job.rankCount) ranks"
            console.say("\(ranks)\(startsText), \(Self.text(.now - start)): \(summary)")
            return code
        }
    }

    /// One start, from the first process to the last one's end.
    private func runOnce(_ arguments: [String], _ logs: RankLogs?) throws -> JobEnd {
        do {
            return try JobRun(job, arguments: arguments, signals: signals, logs: logs).wait(&console)
        } catch {
            close(logs)
            throw error
        }
    }

    /// Says that all ranks are to be started again, and waits.
    ///
    /// - Returns: the name of a signal that came meanwhile; then nothing is to be started.
    private func pause(before restart: Int, _ starts: Int, _ end: JobEnd, _ next: Job.Continuation) -> String? {
        let duration = job.patience.before(restart: restart)
        // The first restart is number 1 anyway.
        let progress =
            next.hasProgressed && starts > 1 ? " (counted anew, as a checkpoint was saved since the last start)" : ""
        console.say(
            "restart \(restart) of \(job.maxRestarts)\(progress) after \(end.summary): "
                + "in \(Numbers.short(duration / .seconds(1))) s, \(next.beginning)"
        )
        guard console.pause(for: duration, signals: signals) else { return nil }
        return JobRun.take(signals).first.map(JobRun.name) ?? "a signal"
    }

    /// Lets the logs be written to the end, and says what they lack.
    private func close(_ logs: RankLogs?) {
        logs?.finish(within: job.patience.forLogs)
        if let complaint = logs?.takeComplaint() { console.say(complaint) }
    }

    private static func text(_ duration: Duration) -> String {
        let tenths = Int(duration / .milliseconds(100))
        let seconds = tenths / 10
        guard seconds >= 60 else { return "\(seconds).\(tenths % 10) s" }
        return seconds < 3600 ? "\(seconds / 60) min \(seconds % 60) s" : "\(seconds / 3600) h \(seconds / 60 % 60) min"
    }
}
