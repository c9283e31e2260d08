import Configuration
import Formats
import Platform
import Testing
import Transformer

@testable import Training

@Suite("Training runs")
struct TrainerTests {
    let fixture: TrainingFixture

    init() throws { fixture = try TrainingFixture() }

    @Test("A run makes exactly max_iters updates, evaluates at 0, at multiples and at the end, and saves but at 0")
    func course() throws {
        let watcher = Watcher()
        let trainer = try fixture.trainer(observers: [watcher]) { $0.maxIters = 10 }
        #expect(try trainer.run() == .finished)
        #expect(watcher.steps.map(\.iteration) == Array(0..<10))
        #expect(watcher.evaluations.map(\.iteration) == [0, 4, 8, 10])
        #expect(watcher.saves.map(\.iteration) == [4, 8, 10])
        #expect(watcher.steps.last?.tokens == 10 * 2 * 3 * 8)
        let losses = watcher.evaluations.compactMap(\.losses.validation)
        #expect(losses.last! < losses.first!, "\(losses)")
        #expect(try fixture.store.open(.latest).state.iteration == 10)
        let best = losses.indices.min { losses[$0] < losses[$1] }!
        #expect(try fixture.store.open(.best).state.iteration == watcher.evaluations[best].iteration)
        #expect(try fixture.store.open(.best).state.bestValidationLoss == losses[best])
    }

    @Test("Lines are nanoGPT's, and the last one has the hash of the parameters and the command that repeats them")
    func lines() throws {
        let trainer = try fixture.trainer { $0.logInterval = 5 }
        _ = try trainer.run()
        let steps = fixture.lines.filter { $0.hasPrefix("step ") }
        #expect(steps.count == 3)
        #expect(
            try steps.allSatisfy {
                try /step \d+: train loss \d+\.\d{4}, val loss \d+\.\d{4}/.wholeMatch(in: $0) != nil
            }
        )
        let iterations = fixture.lines.filter { $0.hasPrefix("iter ") }
        #expect(iterations.count == 2)
        let pattern = /iter (0|5): loss \d+\.\d{4}, time \d+\.\d\dms, tok\/s \d+, mfu \d+\.\d\d%/
        #expect(try iterations.allSatisfy { try pattern.wholeMatch(in: $0) != nil }, "\(iterations)")
        let last = try #require(fixture.lines.last)
        #expect(
            last.hasPrefix("parameters \(trainer.model.parameterHash.prefix(16)); repeat with: ddp-train --preset=")
        )
        #expect(last.contains(" --n_embd=16 "))
    }

    @Test("A run leaves its configuration, metrics, samples and checkpoints")
    func files() throws {
        try fixture.run { $0.logInterval = 2 }
        #expect(
            try FileSystem.names(inFolder: fixture.outDir)
                == [".lock", "checkpoints", "config.toml", "metrics.jsonl", "samples"]
        )
        #expect(
            try FileSystem.names(inFolder: fixture.outDir + "/samples")
                == ["step-00000000.txt", "step-00000004.txt", "step-00000008.txt"]
        )
        #expect(
            try FileSystem.names(inFolder: fixture.outDir + "/checkpoints/latest")
                == [
                    "config.json", "model.safetensors", "optimizer.safetensors", "state.json", "tokenizer.json",
                    "tokenizer_config.json",
                ]
        )
        let metrics = try fixture.metrics()
        let rows = metrics.filter { ["step", "evaluation"].contains($0["event"]!.stringValue!) }
        let names = rows.map { "\($0["event"]!.stringValue!) \($0["iteration"]!.integerValue!)" }
        #expect(
            names == [
                "evaluation 0", "step 0", "step 2", "evaluation 4", "step 4", "step 6", "evaluation 8",
            ]
        )
        // A checkpoint is written while training goes on: when it is on the disk, and then its line, is a matter of speed.
        let saves = metrics.filter { $0["event"] == .string("checkpoint") }
        #expect(saves.map { $0["iteration"]!.integerValue! } == [4, 8])
        #expect(metrics.last?["event"] == .string("end") && metrics.last?["outcome"] == .string("finished"))
        #expect(metrics[1].objectValue?.map(\.name).contains("gradient_norm") == true)
    }

    @Test("A run stopped and resumed ends with the bits of an undisturbed one", arguments: [1, 3, 4, 6])
    func resume(after stopIteration: Int) throws {
        let change = { (values: inout TrainingConfiguration) in values.maxIters = 7 }
        let undisturbed = try fixture.run(change)
        let moments = try Checksum.sha256(ofFile: fixture.outDir + "/checkpoints/latest/optimizer.safetensors")
        let metrics = try fixture.timelessMetrics()
        let state = try fixture.store.open(.latest).state
        try FileSystem.remove(fixture.outDir)

        let stop = StopRequest()
        let watcher = Watcher()
        watcher.onStep = { if $0.iteration + 1 == stopIteration { stop.request() } }
        #expect(try fixture.trainer(stop: stop, observers: [watcher], change).run() == .stopped)
        #expect(try fixture.store.open(.latest).state.iteration == stopIteration)
        // As a process killed in the middle of a line would leave it.
        let path = fixture.outDir + "/metrics.jsonl"
        try AtomicFile.write(
            try FileSystem.read(path) + Array("{\"event\":\"step\",\"iteration\":\(stopIteration)}\n{\"eve".utf8),
            to: path
        )
        let resumed = try fixture.run {
            change(&$0)
            $0.initFrom = "resume"
        }
        #expect(resumed == undisturbed)
        #expect(try Checksum.sha256(ofFile: fixture.outDir + "/checkpoints/latest/optimizer.safetensors") == moments)
        #expect(try fixture.timelessMetrics() == metrics)
        #expect(try fixture.store.open(.latest).state.bestValidationLoss == state.bestValidationLoss)
        #expect(try fixture.store.open(.best).state.iteration == state.iteration)
    }

    @Test("An evaluation that a stop prevented is made by the resume, and its result is saved")
    func pendingEvaluation() throws {
        let stop = StopRequest()
        let watcher = Watcher()
        watcher.onStep = { if $0.iteration == 7 { stop.request() } }
        let change = { (values: inout TrainingConfiguration) in values.maxIters = 8 }
        #expect(try fixture.trainer(stop: stop, observers: [watcher], change).run() == .stopped)
        #expect(watcher.evaluations.map(\.iteration) == [0, 4])
        #expect(try fixture.store.open(.latest).state.validationLoss == nil)
        let resumed = Watcher()
        try fixture.run(observers: [resumed]) {
            change(&$0)
            $0.initFrom = "resume"
        }
        #expect(resumed.evaluations.map(\.iteration) == [8] && resumed.steps.isEmpty)
        #expect(try fixture.store.open(.best).state.bestValidationLoss == resumed.evaluations[0].losses.validation)
        #expect(resumed.evaluations[0].isBest)
    }

    @Test("A run on one thread fits a stack of 256 KB")
    func smallStack() throws {
        final class Run: @unchecked Sendable {
            let fixture: TrainingFixture
            var hash: Result<String, any Error>?

            init(_ fixture: TrainingFixture) { self.fixture = fixture }
        }
        let expected = try fixture.run()
        let run = Run(fixture)
        SystemThread(stackSize: 256 << 10) {
            run.hash = Result { try run.fixture.run { $0.overwrite = true } }
        }.join()
        #expect(try run.hash?.get() == expected)
    }

    @Test("Threads, evaluations and logs change no bit of the result")
    func independence() throws {
        let expected = try fixture.run()
        let changes: [(inout TrainingConfiguration) -> Void] = [
            { $0.threads = 2 }, { $0.threads = 3 }, { $0.evalInterval = 3 }, { $0.evalIters = 1 },
            { $0.logInterval = 7 },
        ]
        for change in changes {
            let hash = try fixture.run {
                $0.overwrite = true
                change(&$0)
            }
            #expect(hash == expected)
        }
        let other = try fixture.run {
            $0.overwrite = true
            $0.seed = 7
        }
        #expect(other != expected)
    }

    @Test("Two micro-batches of B are one of 2 B: same text, same dropout, gradients within rounding")
    func accumulation() throws {
        func parameters(_ change: (inout TrainingConfiguration) -> Void) throws -> [Float] {
            let trainer = try fixture.trainer {
                $0.maxIters = 1
                $0.overwrite = true
                change(&$0)
            }
            _ = try trainer.run()
            return values(trainer.model.gradients)
        }
        let two = try parameters { _ in }
        let one = try parameters {
            $0.batchSize = 6
            $0.gradientAccumulationSteps = 1
        }
        let difference = zip(two, one).map { Double($0 - $1) }.map { $0 * $0 }.reduce(0, +).squareRoot()
        let norm = one.map { Double($0) * Double($0) }.reduce(0, +).squareRoot()
        #expect(norm > 0.1)
        #expect(difference / norm < 1e-6)
    }

    @Test("A loss that is no number stops the run before the update and keeps the last checkpoint")
    func notANumber() throws {
        try fixture.run { $0.maxIters = 4 }
        let before = try fixture.store.open(.latest).loadModel(pool: .init(threadCount: 1)).parameterHash
        let trainer = try fixture.trainer {
            $0.initFrom = "resume"
            $0.maxIters = 12
            $0.learningRate = 1e30
            $0.minLR = 1e30
            $0.lrDecayIters = 12
        }
        let error = #expect(throws: UserError.self) { try trainer.run() }
        #expect(error?.kind == .other)
        let message = error?.message ?? ""
        #expect(
            try /iteration \d+: .*learning rate 1\.000e\+30, gradient norm .*/.wholeMatch(in: message) != nil,
            "\(message)"
        )
        #expect(message.contains(fixture.store.path(iteration: 4)))
        let latest = try fixture.store.open(.latest)
        #expect(latest.state.iteration == 4)
        #expect(try latest.loadModel(pool: .init(threadCount: 1)).parameterHash == before)
    }

    @Test("Without always_save_checkpoint only a better loss is saved, and the end")
    func savesWhenBetter() throws {
        let watcher = Watcher()
        try fixture.run(observers: [watcher]) {
            $0.alwaysSaveCheckpoint = false
            $0.evalInterval = 1
            $0.learningRate = 0.3
            $0.minLR = 0.3
        }
        let better = watcher.evaluations.filter { $0.isBest && $0.iteration > 0 }.map(\.iteration)
        #expect(watcher.evaluations.contains { !$0.isBest })
        #expect(watcher.saves.map(\.iteration) == (better.last == 8 ? better : better + [8]))
    }

    @Test("eval_only evaluates once, and writes nothing")
    func evaluationOnly() throws {
        try fixture.run()
        let hash = try fixture.store.open(.latest).loadModel(pool: .init(threadCount: 1)).parameterHash
        let names = try FileSystem.names(inFolder: fixture.outDir)
        let watcher = Watcher()
        let same = try fixture.run(observers: [watcher]) {
            $0.initFrom = "resume"
            $0.evalOnly = true
        }
        #expect(same == hash)
        #expect(watcher.evaluations.map(\.iteration) == [8])
        try fixture.run {
            $0.outDir = fixture.folder("nowhere")
            $0.evalOnly = true
        }
        #expect(FileSystem.kind(of: fixture.folder("nowhere")) == nil)
        #expect(try FileSystem.names(inFolder: fixture.outDir) == names)
    }

    @Test("A save that fails is said and tried again; when the last one fails, so does the run")
    func failedSaves() throws {
        let watcher = Watcher()
        let checkpoints = fixture.outDir + "/checkpoints"
        watcher.onEvaluation = { report in
            switch report.iteration {
            case 4: try! AtomicFile.write("in the way", to: checkpoints)
            case 8: try! FileSystem.remove(checkpoints)
            default: break
            }
        }
        try fixture.run(observers: [watcher])
        #expect(fixture.notes.filter { $0.hasPrefix("warning: iteration 4 was not saved: ") }.count == 1)
        #expect(watcher.saves.map(\.iteration) == [8])

        watcher.onEvaluation = { report in
            guard report.iteration == 8 else { return }
            try! FileSystem.remove(checkpoints)
            try! AtomicFile.write("in the way", to: checkpoints)
        }
        let error = #expect(throws: UserError.self) { try fixture.run(observers: [watcher]) { $0.overwrite = true } }
        #expect(error?.kind == .inputOutput)
        #expect(error?.message.hasPrefix("iteration 8 was not saved: ") == true)
    }

    @Test("With save_failure=stop a checkpoint that cannot be saved ends the run before the next evaluation")
    func saveFailureStops() throws {
        let watcher = Watcher()
        watcher.onEvaluation = { [checkpoints = fixture.outDir + "/checkpoints"] report in
            if report.iteration == 4 { try! AtomicFile.write("in the way", to: checkpoints) }
        }
        let error = #expect(throws: UserError.self) {
            try fixture.run(observers: [watcher]) { $0.saveFailure = .stop }
        }
        #expect(error?.kind == .inputOutput)
        #expect(error?.message.hasPrefix("iteration 4 was not saved: ") == true)
        #expect(watcher.evaluations.map(\.iteration) == [0, 4])
    }

    @Test("Training that goes on while a checkpoint is written changes nothing in it")
    func savedInTheBackground() throws {
        var parameters: [Int: String] = [:]
        let watcher = Watcher()
        let trainer = try fixture.trainer(observers: [watcher]) {
            $0.evalInterval = 1
            $0.keepCheckpoints = 8
        }
        #expect(trainer.header.memory.hasRoomForCopy)
        watcher.onEvaluation = { [unowned trainer] in parameters[$0.iteration] = trainer.model.parameterHash }
        _ = try trainer.run()
        #expect(try fixture.store.iterations() == Array((1...8).reversed()))
        for iteration in 1...8 {
            let checkpoint = try Checkpoint(folder: fixture.store.path(iteration: iteration)).verify()
            #expect(try checkpoint.loadModel(pool: .init(threadCount: 1)).parameterHash == parameters[iteration])
        }
    }

    @Test("Weights from elsewhere give the shape, and a run on them starts where they are")
    func initialWeights() throws {
        try fixture.run()
        let checkpoint = try fixture.store.open(.latest)
        let weights = InitialWeights(source: "elsewhere", configuration: checkpoint.state.model) { model in
            let loaded = try checkpoint.loadModel(pool: model.pool)
            _ = model.parameters.elements.update(fromContentsOf: values(loaded.parameters))
        }
        let trainer = try fixture.trainer(weights: weights) {
            $0.initFrom = "elsewhere"
            $0.outDir = fixture.folder("second")
            $0.layerCount = 5
            $0.maxIters = 0
        }
        #expect(trainer.configuration.values.layerCount == 2)
        _ = try trainer.run()
        #expect(trainer.model.parameterHash == (try checkpoint.loadModel(pool: trainer.model.pool).parameterHash))
    }
}
