import Platform
import Training
import Transformer

/// Writes a run's `report.html` while it goes on, so that a browser shows it; `ddp-train report` makes the same page later.
///
/// The page is made from what the run has written, of which only what is new is read. It is written at the first step, at
/// evaluations, at the end, and in between every few seconds; the more that costs the more seldom, so that it stays below a
/// hundredth of the run's time.
package final class ReportLog: TrainingObserver {
    private let record: RunRecord
    private let note: (String) -> Void
    private let now: () -> ContinuousClock.Instant
    private var lastWrite: ContinuousClock.Instant?
    /// What the last writing took.
    private(set) var writeDuration = Duration.zero
    private var failed = false
    private var sawStep = false
    /// Whether there may be ones that were not read yet; a resumed run has those of before.
    private var hasSamples = true
    private var hasCheckpoints = true

    private static let stepInterval = Duration.seconds(5)
    private static let eventInterval = Duration.seconds(1)

    /// - Parameters:
    ///   - outputFolder: `out_dir`.
    ///   - note: told once when the page cannot be written; the run goes on.
    package init(
        outputFolder: String,
        note: @escaping (String) -> Void,
        now: @escaping () -> ContinuousClock.Instant = { .now }
    ) {
        record = RunRecord(folder: outputFolder)
        self.note = note
        self.now = now
    }

    /// Writes the page at the first step, and then when it is due.
    package func stepDone(_ report: StepReport) {
        record.updateCompleted(report.iteration + 1)
        defer { sawStep = true }
        guard !sawStep || isDue(Self.stepInterval) else { return }
        write(.running)
    }

    /// Writes the page when it is due.
    package func evaluationDone(_ report: EvaluationReport, model: GPT) {
        hasSamples = true
        guard isDue(Self.eventInterval) else { return }
        write(.running)
    }

    /// Writes nothing: the checkpoint is read for the next page.
    package func checkpointSaved(_ report: SaveReport) { hasCheckpoints = true }

    /// Writes the page once more, for good.
    package func runEnded(_ end: RunEnd, iteration: Int) {
        write(nil)
    }

    /// Whether so much time has passed, and a hundred times what the writing takes.
    private func isDue(_ interval: Duration) -> Bool {
        lastWrite.map { now() - $0 >= max(interval, writeDuration * 100) } ?? true
    }

    /// - Parameter status: nil as the metrics tell.
    private func write(_ status: RunRecord.Status?) {
        guard !failed else { return }
        let start = now()
        do {
            let path = record.files.report
            if lastWrite == nil {
                guard FileSystem.kind(of: path) == nil || RunFiles.isPage(path) else {
                    throw UserError(.inputOutput, "\(path) is there and is no page of ddp-train's: move it elsewhere")
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
            note("warning: the run's report is not written from here on: \(error)")
        }
        lastWrite = now()
        writeDuration = now() - start
    }
}
