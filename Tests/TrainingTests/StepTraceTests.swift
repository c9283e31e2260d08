import Configuration
import Formats
import Foundation
import Platform
import Testing

@testable import Training

@Suite("Trace of steps (--profile)")
struct StepTraceTests {
    let fixture: TrainingFixture
    var path: String { fixture.folder("trace.json") }

    init() throws { fixture = try TrainingFixture() }

    private struct Slice {
        let name: String
        let row: Int
        /// Nanoseconds.
        let start, end: Int

        init?(_ event: [String: Any]) {
            guard event["ph"] as? String == "X", let name = event["name"] as? String, let row = event["tid"] as? Int,
                let start = event["ts"] as? Double, let duration = event["dur"] as? Double
            else { return nil }
            self.name = name
            self.row = row
            self.start = Int((start * 1000).rounded())
            end = self.start + Int((duration * 1000).rounded())
        }
    }

    private func events() throws -> [[String: Any]] {
        try #require(try JSONSerialization.jsonObject(with: Data(FileSystem.read(path))) as? [[String: Any]])
    }

    @Test("Steps after the warm-up enclose what each worker did in them; one row a worker and one for communication")
    func trace() throws {
        try fixture.run {
            $0.profile = path
            $0.threads = 2
            $0.maxIters = 6
        }
        let events = try events()
        let names = events.filter { $0["name"] as? String == "thread_name" }
            .compactMap { ($0["args"] as? [String: Any])?["name"] as? String }
        #expect(names == ["worker 0 (main)", "worker 1", "communication"])
        let slices = events.compactMap(Slice.init)
        #expect(slices.count == events.filter { $0["ph"] as? String == "X" }.count)
        let steps = slices.filter { $0.name.hasPrefix("step ") }
        for row in 0..<2 {
            #expect(steps.filter { $0.row == row }.map(\.name) == ["step 2", "step 3", "step 4", "step 5"])
        }
        for slice in slices where !slice.name.hasPrefix("step ") {
            let enclosing = steps.contains { $0.row == slice.row && $0.start <= slice.start && slice.end <= $0.end }
            #expect(enclosing, "\(slice)")
        }
        // In the order of their starts, longer ones first, each lies within those that have not ended.
        for row in 0..<2 {
            var open: [Slice] = []
            for slice in slices.filter({ $0.row == row }).sorted(by: { ($0.start, $1.end) < ($1.start, $0.end) }) {
                while let last = open.last, last.end <= slice.start { open.removeLast() }
                if let last = open.last { #expect(slice.end <= last.end, "\(slice) in \(last)") }
                open.append(slice)
            }
        }
        #expect(Set(slices.map(\.name)).isSuperset(of: ["task", "layer_norm", "attention", "optimizer", "clipping"]))
        #expect(fixture.lines.contains("profile of 4 steps: \(path)"))
    }

    @Test("A step that was abandoned for a stop is not in the trace, nor what was done for it")
    func abandoned() throws {
        let stop = StopRequest()
        let trainer = try fixture.trainer(stop: stop) {
            $0.profile = path
            $0.maxIters = 100
            $0.gradientAccumulationSteps = 64
            $0.evalInterval = 100
        }
        trainer.output.onProgress = { if trainer.iteration == 5 { stop.request() } }
        #expect(try trainer.run() == .stopped && trainer.iteration == 5)
        let slices = try events().compactMap(Slice.init)
        let steps = slices.filter { $0.name.hasPrefix("step ") && $0.row == 0 }
        #expect(steps.map(\.name) == ["step 2", "step 3", "step 4"])
        let end = try #require(steps.last?.end)
        #expect(slices.allSatisfy { $0.end <= end })
        #expect(fixture.lines.contains("profile of 3 steps: \(path)"))
    }

    @Test("A trace may lie in the folder of a run that is not there yet")
    func inRunFolder() throws {
        let path = fixture.folder("new-run") + "/trace.json"
        try fixture.run {
            $0.outDir = fixture.folder("new-run")
            $0.profile = path
            $0.maxIters = 3
        }
        #expect(FileSystem.kind(of: path) == .file)
    }

    @Test("A run that is stopped, or short, leaves what was recorded as a whole file")
    func stopped() throws {
        let stop = StopRequest()
        let watcher = Watcher()
        watcher.onStep = { if $0.iteration == 3 { stop.request() } }
        let trainer = try fixture.trainer(stop: stop, observers: [watcher]) { $0.profile = path }
        #expect(try trainer.run() == .stopped)
        #expect(
            try Set(events().compactMap(Slice.init).map(\.name).filter { $0.hasPrefix("step ") }) == [
                "step 2", "step 3",
            ]
        )
    }

    @Test("No more than the first steps are recorded, and the parameters are those of a run without")
    func bounded() throws {
        let hash = try fixture.run {
            $0.profile = path
            $0.maxIters = 15
        }
        let steps = try events().compactMap(Slice.init).filter { $0.name.hasPrefix("step ") && $0.row == 0 }
        #expect(steps.count == ProfileExtent.stepCount)
        #expect(try TrainingFixture().run { $0.maxIters = 15 } == hash)
    }

    @Test("What cannot be written, or would hold nothing, is refused before the run begins")
    func refused() throws {
        func refusal(_ change: (inout TrainingConfiguration) -> Void) -> UserError? {
            #expect(throws: UserError.self) { try fixture.trainer(change) }
        }
        #expect(refusal { $0.profile = "/no/such/folder/trace.json" }?.kind == .inputOutput)
        #expect(refusal { $0.profile = fixture.folder.path }?.kind == .inputOutput)
        let error = refusal {
            $0.profile = path
            $0.evalOnly = true
        }
        #expect(error?.kind == .usage)
        #expect(FileSystem.kind(of: fixture.outDir) == nil)
    }
}
