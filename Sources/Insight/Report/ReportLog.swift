import Platform
import Training
import Transformer

/// Writes `report.html` during a run. `ddp-train report` writes the same page afterward.
///
/// The page is made from the run's files, of which only new parts are read. It is written at the first step, at
/// evaluations, at the end, and otherwise every few seconds. If writing is slow, it happens less often, so that it
/// takes less than 1 % of the run's time.
package final class ReportLog: TrainingObserver {
    private let record: RunRecord
    private let note: (String) -> Void
    private let now: () -> ContinuousClock.Instant
    private var lastWrite: ContinuousClock.Instant?
    /// The time that the last write took.
    private(set) var writeDuration = Duration.zero
    private var failed = false
    private var sawStep = false
    /// Whether there may be unread samples. A resumed run starts with the samples of earlier processes.
    private var hasSamples = true
    private var hasCheckpoints = true

    private static let stepInterval = Duration.seconds(5)
    private static let eventInterval = Duration.seconds(1)

    /// - Parameters:
    ///   - outputFolder: `out_dir`.
    ///   - note: receives one warning if the page cannot be written. The run continues.
    ///   - now: the clock.
    package init(
        outputFolder: String,
        note: @escaping (String) -> Void,
        now: @escaping () -> ContinuousClock.Instant = { .now }
    ) {
        record = RunRecord(folder: outputFolder)
        self.note = note
        self.now = now
    }

    package func stepDone(_ report: StepReport) {
        record.updateCompleted(report.iteration + 1)
        defer { sawStep = true }
        guard !sawStep || isDue(Self.stepInterval) else { return }
        write(.running)
    }

    package func evaluationDone(_ report: EvaluationReport, model: GPT) {
        hasSamples = true
        guard isDue(Self.eventInterval) else { return }
        write(.running)
    }

    /// The next page includes the checkpoint.
    package func checkpointSaved(_ report: SaveReport) { hasCheckpoints = true }

    /// Writes the final page.
    package func runEnded(_ end: RunEnd, iteration: Int) {
        write(nil)
    }

    /// Whether both the interval and 100 times the duration of the last write have passed.
    private func isDue(_ interval: Duration) -> Bool {
        lastWrite.map { now() - $0 >= max(interval, writeDuration * 100) } ?? true
    }

    /// - Parameter status: nil means the status in the metrics.
    private func write(_ status: RunRecord.Status?) {
        guard !failed else { return }
        let start = now()
        do {
            let path = record.files.report
            if lastWrite == nil {
                guard FileSystem.kind(of: path) == nil || RunFiles.isPage(path) else {
                    throw UserError(.inputOutput, "\(path) exists and was not made by ddp-train: move it elsewhere")
                }
                record.readConfiguration()
            }
            try record.readMetrics(isGrowing: status == .running)
            if hasSamples { record.readSamples() }
            if hasCheckpoints { record.readCheckpoints() }
            (hasSamples, hasCheckpoints) = (false, false)
            try ReportPage.write(
                title: record.title,
                data: ReportPage.data([record.json(status: status ?? record.status(isHeld: false))], [record]),
                reload: status == .running ? ReportPage.reloadSeconds : nil,
                to: path
            )
        } catch {
            failed = true
            note("warning: the run's report is no longer written: \(error)")
        }
        lastWrite = now()
        writeDuration = now() - start
    }
}
