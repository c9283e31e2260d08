import Configuration
import Platform
import Testing
import Transformer

@testable import Training

@Suite("The folder of a run")
struct RunFolderTests {
    let fixture: TrainingFixture

    init() throws { fixture = try TrainingFixture() }

    @Test("A run that is there is refused, with what can be done")
    func refused() throws {
        try fixture.run()
        let message =
            "\(fixture.outDir) holds a run at iteration 8: continue it with --init_from=resume, "
            + "replace it with --overwrite, or choose another --out_dir"
        #expect(throws: UserError(.usage, message)) { try fixture.trainer() }
        try fixture.store.open(.latest).verify()
    }

    @Test("Files of the user's own in out_dir are no run, and stay")
    func foreignFiles() throws {
        try FileSystem.createFolder(fixture.outDir)
        try AtomicFile.write("mine", to: fixture.outDir + "/notes.txt")
        try fixture.run()
        try fixture.run { $0.overwrite = true }
        #expect(try FileSystem.read(fixture.outDir + "/notes.txt") == Array("mine".utf8))
    }

    @Test("An overwriting run removes the old one once it has a checkpoint of its own")
    func overwritten() throws {
        try fixture.run { $0.maxIters = 12 }
        let watcher = Watcher()
        let replaced = fixture.outDir + "/.replaced/checkpoints/latest"
        var oldWasThere: [Bool] = []
        watcher.onEvaluation = { _ in oldWasThere.append(FileSystem.kind(of: replaced) == .folder) }
        try fixture.run(observers: [watcher]) { $0.overwrite = true }
        #expect(oldWasThere == [true, true, false])
        #expect(try fixture.store.iterations() == [8])
        #expect(FileSystem.kind(of: fixture.outDir + "/.replaced") == nil)
    }

    @Test("An overwriting run that ends without a checkpoint gives the old one back")
    func restored() throws {
        try fixture.run()
        let metrics = try fixture.metrics()
        try failOverwriting()
        #expect(try fixture.metrics() == metrics)
        try fixture.store.open(.latest).verify()
        #expect(try FileSystem.names(inFolder: fixture.outDir).contains(".replaced") == false)
    }

    @Test(
        "A page goes with its run, and comes back with it; a file of that name that is not ours stays",
        arguments: [true, false]
    )
    func page(isOurs: Bool) throws {
        try fixture.run()
        let path = fixture.outDir + "/report.html"
        let text = isOurs ? "<!doctype html>\(RunFiles.pageMark)" : "<!doctype html>"
        try AtomicFile.write(text, to: path)
        let watcher = Watcher()
        var wasThere: [Bool] = []
        watcher.onStep = { _ in wasThere.append(FileSystem.kind(of: path) == .file) }
        try failOverwriting(watcher)
        #expect(wasThere.allSatisfy { $0 != isOurs } && !wasThere.isEmpty)
        #expect(try FileSystem.read(path) == Array(text.utf8))
    }

    /// The loss is no number before the first checkpoint.
    private func failOverwriting(_ watcher: Watcher = Watcher()) throws {
        let trainer = try fixture.trainer(observers: [watcher]) {
            $0.overwrite = true
            $0.learningRate = 1e30
            $0.minLR = 1e30
        }
        #expect(throws: UserError.self) { try trainer.run() }
    }

    @Test("A run that was killed while it replaced another gives it back at the next start")
    func killedWhileReplacing() throws {
        try fixture.run()
        let replaced = fixture.outDir + "/.replaced"
        try FileSystem.createFolder(replaced)
        for name in ["checkpoints", "metrics.jsonl"] {
            try FileSystem.rename(fixture.outDir + "/" + name, to: replaced + "/" + name)
        }
        try AtomicFile.write("of the killed run", to: fixture.outDir + "/metrics.jsonl")
        #expect(throws: UserError.self) { try fixture.trainer() }
        try fixture.store.open(.latest).verify()
        #expect(try fixture.metrics().isEmpty == false)
    }

    @Test("Two runs cannot write to one folder at a time")
    func locked() throws {
        let first = try fixture.trainer()
        let error = #expect(throws: UserError.self) { try fixture.trainer { $0.overwrite = true } }
        #expect(
            error?.message == "another ddp-train writes to \(fixture.outDir): wait for it, or choose another --out_dir"
        )
        _ = try first.run()
    }

    @Test("A resume reads the configuration where a run writes it")
    func configurationPath() {
        let files = RunFiles(folder: fixture.outDir)
        #expect(files.configuration == files.path(.configuration))
    }

    @Test("A folder that cannot be written is an input/output error before anything is trained")
    func unwritable() throws {
        try AtomicFile.write("a file", to: fixture.folder("file"))
        let error = #expect(throws: UserError.self) { try fixture.trainer { $0.outDir = fixture.folder("file/out") } }
        #expect(error?.kind == .inputOutput)
    }
}

@Suite("Resuming")
struct ResumeTests {
    let fixture: TrainingFixture

    init() throws { fixture = try TrainingFixture() }

    private func resume(options: [(name: String, value: String)], worldSize: Int = 1) throws -> ResumePlan {
        let given = [("init_from", "resume"), ("out_dir", fixture.outDir), ("data_dir", fixture.folder.path)]
        let resolved = try ConfigurationSources(options: given + options).resolve()
        return try ResumePlan(resolved, store: fixture.store, dataset: fixture.dataset, worldSize: worldSize) {
            notes.append($0)
        }
    }

    private final class Notes {
        var all: [String] = []
        func append(_ note: String) { all.append(note) }
    }

    private let notes = Notes()

    @Test("A resume needs no option repeated, and says which changed")
    func options() throws {
        try fixture.run()
        let same = try resume(options: [])
        #expect(same.configuration.values.embeddingSize == 16)
        #expect(same.configuration.values.initFrom == "scratch")
        #expect(notes.all == [])
        let changed = try resume(options: [("max_iters", "20"), ("dropout", "0")])
        #expect(changed.configuration.values.maxIters == 20)
        #expect(notes.all == ["resumed with other options: dropout=0.0 (was 0.2), max_iters=20 (was 8)"])
    }

    @Test("Options that compute nothing change no course; other ranks do, and so does another way to sum")
    func course() throws {
        try fixture.run()
        #expect(try !resume(options: [("device", "cpu"), ("wandb_project", "x"), ("threads", "3")]).hasChangedCourse)
        #expect(notes.all == [])
        #expect(try resume(options: [("allreduce", "native")]).hasChangedCourse)
        #expect(try resume(options: [], worldSize: 2).hasChangedCourse)
        #expect(notes.all.last == "resumed by 2 ranks, where 1 had trained: the last bits differ")
    }

    @Test("What cannot change is refused by name", arguments: [("n_layer", "3", "2"), ("bias", "true", "false")])
    func refused(name: String, value: String, present: String) throws {
        try fixture.run()
        let message =
            "\(name)=\(value) cannot change in a resume: the run has \(name)=\(present); "
            + "leave it out, or start a new run"
        #expect(throws: UserError(.usage, message)) { try resume(options: [(name, value)]) }
    }

    @Test("All that cannot change is named at once")
    func allRefused() throws {
        try fixture.run()
        let message =
            "n_layer=3, bias=true cannot change in a resume: the run has n_layer=2, bias=false; "
            + "leave them out, or start a new run"
        #expect(throws: UserError(.usage, message)) { try resume(options: [("n_layer", "3"), ("bias", "true")]) }
    }

    @Test(
        "A run that was resumed with other options does not say that a command repeats it, however often it is resumed"
    )
    func changedCourse() throws {
        func lastLine(_ change: (inout TrainingConfiguration) -> Void) throws -> String {
            try fixture.run {
                $0.initFrom = "resume"
                change(&$0)
            }
            return try #require(fixture.lines.last)
        }
        try fixture.run()
        // How far a run goes leads nowhere else.
        #expect(try lastLine { $0.maxIters = 9 }.contains("; repeat with: ddp-train "))
        #expect(try !fixture.store.open(.latest).state.hasChangedCourse)
        let told = "; no one command repeats them, as the run was resumed with other options, ranks or order of data"
        let change = { (values: inout TrainingConfiguration) in
            values.maxIters = 10
            values.weightDecay = 0.5
        }
        #expect(try lastLine(change).hasSuffix(told))
        #expect(
            try lastLine {
                change(&$0)
                $0.maxIters = 11
            }.hasSuffix(told)
        )
        #expect(try fixture.store.open(.latest).state.hasChangedCourse)
        _ = try lastLine {
            change(&$0)
            $0.maxIters = 5
        }
        #expect(
            fixture.lines.contains {
                $0.hasPrefix("nothing to do: the run is at iteration 11, and max_iters=5; give a")
            }
        )
    }

    @Test("A data set with other tokens is refused")
    func otherData() throws {
        try fixture.run()
        let other = try TrainingFixture.makeDataset(in: fixture.folder.path, name: "other", seed: 2)
        let error = #expect(throws: UserError.self) {
            try fixture.trainer(dataset: other) { $0.initFrom = "resume" }
        }
        #expect(error?.kind == .data)
        #expect(error?.message.contains("the data set other has other tokens than letters had") == true)
    }

    @Test("Nothing to resume is an error that names the folder, and makes none")
    func nothing() throws {
        let error = #expect(throws: UserError.self) { try fixture.trainer { $0.initFrom = "resume" } }
        #expect(
            error == UserError(.inputOutput, "nothing to resume: there is no folder \(fixture.outDir); check --out_dir")
        )
        #expect(FileSystem.kind(of: fixture.outDir) == nil)
    }

    @Test("A damaged newest checkpoint is passed over, said, and made again")
    func damaged() throws {
        let expected = try fixture.run { $0.keepCheckpoints = 2 }
        try AtomicFile.write("damaged", to: fixture.store.path(iteration: 8) + "/model.safetensors")
        let hash = try fixture.run {
            $0.initFrom = "resume"
            $0.keepCheckpoints = 2
        }
        #expect(hash == expected)
        #expect(fixture.notes.contains { $0.hasPrefix("passed over the checkpoint of iteration 8: ") })
        try fixture.store.open(.latest).verify()
    }

    @Test("A finished run that is resumed makes nothing again")
    func finished() throws {
        let expected = try fixture.run()
        let watcher = Watcher()
        #expect(try fixture.run(observers: [watcher]) { $0.initFrom = "resume" } == expected)
        #expect(watcher.steps.isEmpty && watcher.evaluations.isEmpty && watcher.saves.isEmpty)
    }
}
