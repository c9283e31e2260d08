import Configuration
import Compute
import Formats
import Foundation
import Platform
import TestSupport
import Testing
import Transformer

@testable import Training

@Suite("Checkpoints")
struct CheckpointTests {
    let scratch: TemporaryFolder
    let configuration = GPTConfiguration(
        layerCount: 2,
        headCount: 2,
        embeddingSize: 8,
        blockSize: 4,
        vocabularySize: 11,
        dropout: 0.2,
        activation: .gelu_tanh
    )

    init() throws { scratch = try TemporaryFolder() }

    var store: CheckpointStore { CheckpointStore(outputFolder: scratch.path) }

    func model(seed: UInt64) -> GPT {
        let model = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: 1)))
        _ = model.parameters.elements.update(fromContentsOf: randomValues(model.parameters.count, seed: seed))
        return model
    }

    /// The state of AdamW, of random numbers.
    func optimizer(_ model: GPT, seed: UInt64) -> OptimizerState {
        let state = zeroState(model)
        let random = randomValues(model.layout.count, seed: seed)
        _ = state["exp_avg"]!.values.elements.update(fromContentsOf: random)
        _ = state["exp_avg_sq"]!.values.elements.update(fromContentsOf: random.map { $0 * $0 })
        return state
    }

    func zeroState(_ model: GPT) -> OptimizerState {
        Optimizer(layout: model.layout, configuration: TrainingConfiguration()).state
    }

    /// A copy of all numbers of a state.
    func numbers(_ state: OptimizerState) -> [[Float]] { state.slots.map { values($0.values) } }

    func state(_ iteration: Int) -> CheckpointState {
        CheckpointState(
            iteration: iteration,
            model: configuration,
            bestValidationLoss: 1.25 + 1 / 3,
            validationLoss: nil,
            options: ["learning_rate": "0.001", "out_dir": "a \"quoted\" name"],
            dataset: "demo",
            datasetHash: "abc",
            seed: .max
        )
    }

    @discardableResult
    func save(
        _ iteration: Int,
        isBest: Bool = false,
        keep: Int = 1,
        progress: () -> Void = {}
    ) throws -> Checkpoint {
        let model = model(seed: UInt64(iteration))
        let optimizer = optimizer(model, seed: UInt64(iteration) + 1000)
        let checkpoint = try store.save(
            state(iteration),
            CheckpointValues(model, optimizer),
            tokenizer: nil,
            isBest: isBest,
            progress: progress
        )
        try store.prune(keep: keep, upTo: iteration)
        return checkpoint
    }

    @Test("What is saved is loaded: parameters, moments and state, to the last bit")
    func roundTrip() throws {
        let saved = try save(7, isBest: true)
        try saved.verify()
        for which in CheckpointStore.Which.allCases {
            let checkpoint = try store.open(which)
            #expect(checkpoint.state == state(7))
            let model = try checkpoint.loadModel(pool: WorkerPool(threadCount: 1))
            #expect(model.configuration == configuration)
            #expect(values(model.parameters) == values(self.model(seed: 7).parameters))
            let loaded = zeroState(model)
            try checkpoint.loadOptimizer(into: loaded)
            #expect(numbers(loaded) == numbers(optimizer(model, seed: 1007)))
        }
    }

    @Test("A model without biases is written with zero biases, as transformers wants them")
    func zeroBiases() throws {
        let checkpoint = try save(1)
        let file = try SafetensorsFile(path: checkpoint.folder + "/model.safetensors")
        #expect(file.metadata == ["format": "pt"])
        #expect(file.tensors.count == 2 + 2 * 12 + 2)
        #expect(file.tensors["transformer.h.1.attn.c_attn.bias"]?.shape == [24])
        let bias = FloatBuffer(count: 32)
        bias.elements.update(repeating: 1)
        try file.floats(named: "transformer.h.1.mlp.c_fc.bias", into: bias.elements)
        #expect(bias.elements.allSatisfy { $0 == 0 })
        let config = try JSONValue(ofFile: checkpoint.folder + "/config.json")
        #expect(config["activation_function"] == .string("gelu_new"))
        #expect(config["n_layer"] == .integer(2))
        #expect(config["bias"] == .bool(false))
    }

    @Test("So many of the newest and the best are kept, older ones go")
    func keeping() throws {
        try save(10, isBest: true)
        for iteration in [20, 30, 40] { try save(iteration, keep: 2) }
        #expect(try store.iterations() == [40, 30, 10])
        #expect(try store.open(.latest).state.iteration == 40)
        #expect(try store.open(.best).state.iteration == 10)
        try save(50, isBest: true)
        #expect(try store.iterations() == [50])
        #expect(try FileSystem.names(inFolder: store.folder) == ["best", "latest", "step-00000050"])
    }

    @Test("A file that was changed, cut short or lost is refused by name", arguments: ["model", "optimizer"])
    func damage(file: String) throws {
        let checkpoint = try save(3)
        let path = "\(checkpoint.folder)/\(file).safetensors"
        var bytes = try FileSystem.read(path)
        func load() throws {
            let model = try checkpoint.loadModel(pool: WorkerPool(threadCount: 1))
            try checkpoint.loadOptimizer(into: zeroState(model))
        }
        try load()
        let damaged = UserError(.data, "\(path) is damaged: its hash is not the one that was written with it")
        bytes[bytes.count - 5] ^= 1
        try AtomicFile.write(bytes, to: path)
        #expect(throws: damaged) { try load() }
        #expect(throws: damaged) { try checkpoint.verify() }
        try AtomicFile.write(Array(bytes[..<100]), to: path)
        #expect(throws: damaged) { try load() }
        try FileSystem.remove(path)
        #expect(throws: UserError(.data, "\(path) is missing")) { try checkpoint.verify() }
    }

    @Test("A resume takes the newest checkpoint that is whole and says what it passed over")
    func newestWhole() throws {
        for iteration in [10, 20, 30, 40] { try save(iteration, keep: 4) }
        try FileSystem.remove(store.path(iteration: 40) + "/state.json")
        try AtomicFile.write("{}", to: store.path(iteration: 30) + "/state.json")
        var skipped: [Int] = []
        #expect(try store.newestWhole { iteration, _ in skipped.append(iteration) }.state.iteration == 20)
        #expect(skipped == [40, 30])
        for iteration in [10, 20] { try AtomicFile.write("?", to: store.path(iteration: iteration) + "/state.json") }
        #expect(throws: UserError(.data, "no checkpoint in \(store.folder) is whole")) {
            try store.newestWhole { _, _ in }
        }
        try FileSystem.remove(store.folder)
        #expect(throws: UserError(.inputOutput, "nothing to resume: \(store.folder) has no checkpoint")) {
            try store.newestWhole { _, _ in }
        }
    }

    @Test("A save that fails leaves the one before it, and nothing else")
    func failedSave() throws {
        try save(10, isBest: true)
        // While the model's file is written, the folder of the new checkpoint goes.
        let error = #expect(throws: UserError.self) {
            try save(20, isBest: true) {
                for name in (try? FileSystem.names(inFolder: store.folder)) ?? [] where name.hasPrefix(".step") {
                    try? FileSystem.remove(store.folder + "/" + name)
                }
            }
        }
        #expect(error?.kind == .inputOutput)
        #expect(try FileSystem.names(inFolder: store.folder) == ["best", "latest", "step-00000010"])
        #expect(try store.open(.latest).state.iteration == 10)
        try store.open(.best).verify()
    }

    @Test("What is saved in the background are the numbers of the moment when it was begun")
    func background() throws {
        let pool = WorkerPool(threadCount: 2)
        let model = model(seed: 1)
        let optimizer = optimizer(model, seed: 2)
        let saver = CheckpointSaver(store: store, keep: 1, tokenizer: nil)
        #expect(saver.collect(waiting: true) == nil)
        for iteration in 1...3 {
            _ = model.parameters.elements.update(fromContentsOf: randomValues(model.layout.count, seed: 10))
            let expected = [values(model.parameters)] + numbers(optimizer)
            saver.begin(state(iteration), CheckpointValues(model, optimizer), isBest: true, pool: pool)
            for buffer in [model.parameters.elements, optimizer.slots[0].values.elements] {
                buffer.update(repeating: 7)
            }
            #expect(saver.hasBegun)
            let ended = try #require(saver.collect(waiting: true))
            #expect(!saver.hasBegun && ended.stoodStillSeconds <= ended.seconds)
            let checkpoint = try ended.result.get()
            #expect(checkpoint.state == state(iteration))
            let loaded = try checkpoint.loadModel(pool: pool)
            let state = zeroState(loaded)
            try checkpoint.loadOptimizer(into: state)
            #expect([values(loaded.parameters)] + numbers(state) == expected)
        }
    }

    @Test("A save in the background that fails is told when it is collected, and the next one is made")
    func failedBackground() throws {
        let model = model(seed: 1)
        let numbers = CheckpointValues(model, optimizer(model, seed: 2))
        let saver = CheckpointSaver(store: store, keep: 1, tokenizer: nil)
        try AtomicFile.write("in the way", to: store.folder)
        saver.begin(state(1), numbers, isBest: false, pool: model.pool)
        let failed = try #require(saver.collect(waiting: true))
        #expect(throws: UserError.self) { try failed.result.get() }
        try FileSystem.remove(store.folder)
        saver.begin(state(2), numbers, isBest: false, pool: model.pool)
        #expect(try saver.collect(waiting: true)?.result.get().state.iteration == 2)
    }

    @Test("The copy that is saved from is taken where there is memory for it")
    func roomForCopy() throws {
        var training = TrainingConfiguration()
        training.batchSize = 2
        let plan = MemoryPlan(model: configuration, training: training, threads: 1)
        let needed = plan.stillNeeded + 3 * 4 * ParameterLayout(configuration).count
        for (available, hasRoom) in [(needed, true), (needed - 1, false), (nil, true)] {
            let check = try MemoryCheck(model: configuration, training: training, threads: 1, available: available)
            #expect(check.hasRoomForCopy == hasRoom)
        }
    }

    @Test("What differs between two checkpoints is told: facts, shapes, and each tensor by how much")
    func differences() throws {
        let first = try save(1, keep: 9)
        #expect(try CheckpointDifference(first, first).isEmpty)
        let model = model(seed: 1)
        let optimizer = optimizer(model, seed: 1001)
        let changed = model.layout.range(of: "transformer.h.1.mlp.c_fc.weight")
        let before = model.parameters.elements[changed.lowerBound]
        model.parameters.elements[changed.lowerBound] = before + 0.5
        var other = state(2)
        other.options = ["learning_rate": "0.002", "new": "1"]
        let second = try store.save(
            other,
            CheckpointValues(model, optimizer),
            tokenizer: nil,
            isBest: false
        )
        let difference = try CheckpointDifference(first, second)
        #expect(!difference.isEmpty && difference.shapes.isEmpty)
        #expect(difference.facts.map(\.name) == ["iteration", "learning_rate", "new"])
        #expect(difference.facts.map(\.first) == ["1", "0.001", nil])
        #expect(difference.facts.map(\.second) == ["2", "0.002", "1"])
        let norm = model.parameters.elements[changed].dropFirst().reduce(Double(before * before)) {
            $0 + Double($1 * $1)
        }
        let tensor = try #require(difference.tensors.first)
        #expect(difference.tensors.count == 1 && tensor.name == "transformer.h.1.mlp.c_fc.weight")
        #expect(tensor.differing == 1 && tensor.shape == [8, 32])
        #expect(abs(tensor.largest - 0.5) < 1e-6)
        #expect(abs(tensor.relative - 0.5 / norm.squareRoot()) < 1e-5)
    }

    @Test("A resume sets the links right that a kill left behind, so that the best is not removed")
    func linksAfterKill() throws {
        try save(10, isBest: true)
        // Saved, and killed before the links had moved; its loss is the best.
        let model = model(seed: 3)
        var best = state(20)
        best.validationLoss = best.bestValidationLoss
        let numbers = CheckpointValues(model, optimizer(model, seed: 4))
        try store.save(best, numbers, tokenizer: nil, isBest: true)
        for which in CheckpointStore.Which.allCases {
            try FileSystem.remove(store.folder + "/" + which.rawValue)
            #expect(symlink("step-00000010", store.folder + "/" + which.rawValue) == 0)
        }
        let newest = try store.newestWhole { _, _ in }
        try store.restoreLinks(resuming: newest)
        for which in CheckpointStore.Which.allCases { #expect(try store.open(which).state.iteration == 20) }
        try save(30)
        #expect(try store.iterations() == [30, 20])

        // A copy that lost its links.
        for which in CheckpointStore.Which.allCases { try FileSystem.remove(store.folder + "/" + which.rawValue) }
        #expect(try store.open(.best).state.iteration == 30)
        try store.restoreLinks(resuming: store.newestWhole { _, _ in })
        #expect(try store.open(.best).state.iteration == 20)
        #expect(try store.open(.latest).state.iteration == 30)
    }

    @Test("Damaged checkpoints that a resume passed over take no place of a whole one")
    func damagedAreNotCounted() throws {
        for iteration in [10, 20, 30, 40] { try save(iteration, keep: 9) }
        try save(25, keep: 2)
        #expect(try store.iterations() == [40, 30, 25, 20])
    }

    @Test("What cannot be removed is a warning, and the save stands")
    func pruneFails() throws {
        try save(1)
        // In the way of the name that it is removed under.
        try FileSystem.createFolder(store.folder + "/.removed-step-00000001/in the way")
        let model = model(seed: 1)
        let saver = CheckpointSaver(store: store, keep: 1, tokenizer: nil)
        let numbers = CheckpointValues(model, optimizer(model, seed: 2))
        let ended = saver.save(state(2), numbers, isBest: false) {}
        #expect(try ended.result.get().state.iteration == 2)
        #expect(ended.warning?.hasPrefix("an older checkpoint was not removed: ") == true)
        #expect(try store.open(.latest).state.iteration == 2)
    }

    @Test("A checkpoint under another iteration's name is not whole")
    func otherName() throws {
        let path = try save(1).folder
        try FileSystem.rename(path, to: store.path(iteration: 9))
        let error = #expect(throws: UserError.self) { try Checkpoint(folder: store.path(iteration: 9)).verify() }
        #expect(error?.message.hasSuffix("step-00000009 holds iteration 1") == true)
    }

    @Test("A place that cannot be written is an input/output error that names it")
    func unwritable() throws {
        try AtomicFile.write("in the way", to: scratch.path + "/checkpoints")
        let error = #expect(throws: UserError.self) { try save(1) }
        #expect(error?.kind == .inputOutput)
        #expect(error?.message.contains(store.folder) == true)
    }

    @Test("A checkpoint saved again at its iteration replaces the damaged one, and leftovers of a killed process go")
    func replacing() throws {
        try AtomicFile.write("damaged", to: try save(5).folder + "/model.safetensors")
        try FileSystem.createFolder(store.folder + "/.step-00000009.123-4.partial")
        try store.removeLeftovers()
        try save(5)
        try store.open(.latest).verify()
        #expect(try FileSystem.names(inFolder: store.folder) == ["latest", "step-00000005"])
    }

    @Test("A state that describes another model than the file is refused with both shapes")
    func shapes() throws {
        let checkpoint = try save(2)
        let path = checkpoint.folder + "/state.json"
        let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
            .replacing("\"vocab_size\": 11", with: "\"vocab_size\": 12")
        try AtomicFile.write(text, to: path)
        let damaged = UserError(.data, "\(path) is damaged: its hash is not the one that was written in it")
        #expect(throws: damaged) { try Checkpoint(folder: checkpoint.folder) }
        // As of a program that wrote none.
        let members = try #require(try JSONValue(parsing: Array(text.utf8)).objectValue)
        try AtomicFile.write(JSONValue.object(members.filter { $0.name != "state_sha256" }).text(), to: path)
        let error = #expect(throws: UserError.self) {
            try Checkpoint(folder: checkpoint.folder).loadModel(pool: WorkerPool(threadCount: 1))
        }
        #expect(error?.message.hasSuffix("tensor transformer.wte.weight has shape [11, 8], expected [12, 8]") == true)
        #expect(error?.kind == .data)
    }
}
