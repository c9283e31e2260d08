import Configuration
import Platform
import TestSupport
import Testing

@testable import Formats
@testable import Insight
@testable import Training

@Suite("Report during a run")
struct ReportLogTests {
    private let folder: TemporaryFolder
    private let model = SmallestRun.model()

    init() throws { folder = try TemporaryFolder() }

    private var evaluation: EvaluationReport {
        EvaluationReport(iteration: 0, losses: EvaluationLosses(train: 2, validation: 2), isBest: true, seconds: 1)
    }

    /// The iteration that the page shows now.
    private var shown: Int? {
        guard let bytes = try? FileSystem.read(folder("report.html")) else { return nil }
        return String(decoding: bytes, as: UTF8.self).firstMatch(of: #/"iteration":(\d+),"max_iters"/#).flatMap {
            Int($0.output.1)
        }
    }

    @Test("The page is written at the first evaluation and step, and then at most every few seconds")
    func interval() throws {
        try AtomicFile.write(ResolvedConfiguration().toml, to: folder("config.toml"))
        try AtomicFile.write("", to: folder("metrics.jsonl"))
        var now = ContinuousClock.now
        var notes: [String] = []
        let log = ReportLog(outputFolder: folder.path, note: { notes.append($0) }, now: { now })
        log.evaluationDone(evaluation, model: model)
        #expect(shown == 0)
        log.stepDone(SmallestRun.step(0))
        #expect(shown == 1)
        for iteration in 1..<10 {
            now += .milliseconds(600)
            log.stepDone(SmallestRun.step(iteration, isLogged: false))
        }
        // Not yet 4.8 s after the last write, but 5.4 s after it.
        #expect(shown == 10)
        log.stepDone(SmallestRun.step(10))
        log.evaluationDone(evaluation, model: model)
        #expect(shown == 10)
        now += .seconds(1)
        log.evaluationDone(evaluation, model: model)
        #expect(shown == 11)
        log.stepDone(SmallestRun.step(11))
        log.runEnded(.stopped, iteration: 12)
        #expect(shown == 12)
        let text = String(decoding: try FileSystem.read(folder("report.html")), as: UTF8.self)
        #expect(!text.contains("<meta name=\"reload\""))
        #expect(notes.isEmpty, "\(notes)")
    }

    @Test("A page that is slow to write is written less often")
    func cost() throws {
        try AtomicFile.write("", to: folder("metrics.jsonl"))
        var now = ContinuousClock.now
        var asked = 0
        // Each read of the clock advances it by 0.1 s, and a write reads it twice.
        let log = ReportLog(outputFolder: folder.path, note: { _ in }) {
            asked += 1
            now += .milliseconds(100)
            return now
        }
        log.stepDone(SmallestRun.step(0))
        let cost = log.writeDuration
        #expect(cost >= .milliseconds(100))
        now += cost * 90
        log.stepDone(SmallestRun.step(1))
        #expect(shown == 1)
        now += cost * 10
        log.stepDone(SmallestRun.step(2))
        #expect(shown == 3)
    }

    @Test("A page that cannot be written, or a foreign file, gives one warning and no error")
    func unwritable() throws {
        try AtomicFile.write("mine", to: folder("report.html"))
        try AtomicFile.write("", to: folder("metrics.jsonl"))
        var notes: [String] = []
        let log = ReportLog(outputFolder: folder.path) { notes.append($0) }
        for iteration in 0..<3 { log.stepDone(SmallestRun.step(iteration)) }
        log.runEnded(.finished, iteration: 3)
        #expect(notes.count == 1 && notes[0].contains("was not made by ddp-train"), "\(notes)")
        #expect(try FileSystem.read(folder("report.html")) == Array("mine".utf8))
    }
}
