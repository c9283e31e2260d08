import Collectives
import Compute
import Datasets
import Formats
import Platform
import TestSupport
import Testing
import Transformer

@testable import Training

/// Momentum by the heavy-ball method (Polyak, 1964): `v ← β v + g`, `p ← p - η v`.
private struct HeavyBall: UpdateRule {
    static let slots = ["momentum"]
    let beta: Float = 0.9

    func update(_ tensors: [ParameterLayout.Tensor], _ update: ParameterUpdate) {
        let momentum = update.slots[0]
        update.context.pool.run(tensors.count) { task, _ in
            for index in tensors[task].range {
                momentum[index] = beta * momentum[index] + update.gradientScale * update.gradients[index]
                update.parameters[index] -= Float(update.learningRate) * momentum[index]
            }
        }
    }
}

/// An optimizer with a second rule: it trains, is saved, goes on and reaches other ranks by the code that AdamW uses.
@Suite("Optimizers with several rules")
struct OptimizerTests {
    let fixture: TrainingFixture

    init() throws { fixture = try TrainingFixture() }

    private var shape: GPTConfiguration { fixture.configuration.model(vocabularySize: 16) }

    private func model(forTraining: Bool = true) -> GPT {
        let model = GPT(
            configuration: shape,
            context: ComputeContext(pool: WorkerPool(threadCount: 1)),
            forTraining: forTraining
        )
        model.initializeParameters(seed: 1)
        return model
    }

    /// Heavy ball for matrices, AdamW for all else.
    private static func optimizer(_ model: GPT) -> Optimizer {
        Optimizer(
            layout: model.layout,
            routes: [
                UpdateRoute(HeavyBall(), for: [.matrix]), UpdateRoute(AdamW(), for: [.embedding, .vector, .head]),
            ]
        )
    }

    private func step(_ model: GPT, _ optimizer: Optimizer) throws -> TrainingStep {
        TrainingStep(
            model: model,
            optimizer: optimizer,
            sampler: try BatchSampler(
                sequence: fixture.dataset.train,
                blockSize: shape.blockSize,
                sequencesPerStep: 6,
                order: .random,
                seed: 1
            ),
            configuration: fixture.configuration
        )
    }

    private func save(_ model: GPT, _ state: OptimizerState, iteration: Int) throws -> Checkpoint {
        try fixture.store.save(
            CheckpointState(iteration: iteration, model: shape, dataset: "letters", datasetHash: "", seed: 1),
            CheckpointValues(model, state),
            tokenizer: nil,
            isBest: false
        )
    }

    private func numbers(_ state: OptimizerState) -> [[Float]] { state.slots.map { values($0.values) } }

    @Test("Each rule has slots for its own tensors, and memory is their sum")
    func slots() {
        let model = model()
        let state = Self.optimizer(model).state
        #expect(state.slots.map(\.name) == ["momentum", "exp_avg", "exp_avg_sq"])
        let matrices = model.layout.tensors.filter { $0.role == .matrix }
        #expect(matrices.count == 4 * shape.layerCount)
        #expect(state["momentum"]?.tensors == matrices)
        #expect(state["exp_avg"]?.tensors == model.layout.tensors.filter { $0.role != .matrix })
        #expect(state["other"] == nil)
        let bytes = Optimizer.stateBytes(layout: model.layout, configuration: fixture.configuration)
        #expect(bytes == 2 * 4 * model.layout.count)
        #expect(Optimizer(layout: model.layout, configuration: fixture.configuration).state.slots[0].ranges.count == 1)
    }

    @Test("Training that is saved and goes on has the bits of training without a stop, and loses less")
    func resume() throws {
        let whole = model()
        let before = whole.loss(tokens: [1, 4, 13, 9], targets: [4, 13, 9, 11], sequenceLength: 4)
        let all = Self.optimizer(whole)
        let first = try step(whole, all)
        for iteration in 0..<4 { _ = try first.update(iteration) }
        let checkpoint = try save(whole, all.state, iteration: 4).verify()
        for iteration in 4..<8 { _ = try first.update(iteration) }

        let names = try SafetensorsFile(path: checkpoint.folder + "/optimizer.safetensors").tensors.keys
        #expect(names.contains("momentum.transformer.h.0.attn.c_attn.weight"))
        #expect(!names.contains("exp_avg.transformer.h.0.attn.c_attn.weight"))
        #expect(names.contains("exp_avg_sq.transformer.wte.weight"))
        #expect(!names.contains("momentum.transformer.wte.weight"))

        let resumed = try checkpoint.loadModel(pool: WorkerPool(threadCount: 2), forTraining: true)
        let rest = Self.optimizer(resumed)
        try checkpoint.loadOptimizer(into: rest.state)
        let second = try step(resumed, rest)
        for iteration in 4..<8 { _ = try second.update(iteration) }
        #expect(resumed.parameterHash == whole.parameterHash)
        #expect(numbers(rest.state) == numbers(all.state))
        let after = resumed.loss(tokens: [1, 4, 13, 9], targets: [4, 13, 9, 11], sequenceLength: 4)
        #expect(after < before, "\(after), before \(before)")
    }

    @Test("A checkpoint of another optimizer is refused by the first tensor that it does not have")
    func otherOptimizer() throws {
        let model = model()
        let checkpoint = try save(
            model,
            Optimizer(layout: model.layout, configuration: fixture.configuration).state,
            iteration: 1
        )
        let error = #expect(throws: UserError.self) {
            try checkpoint.loadOptimizer(into: Self.optimizer(model).state)
        }
        let missing = "has no tensor momentum.transformer.h.0.attn.c_attn.weight"
        #expect(error?.message.hasSuffix(missing) == true, "\(error?.message ?? "")")
    }

    @Test("The copy that is saved in the background has every slot")
    func background() throws {
        let model = model()
        let optimizer = Self.optimizer(model)
        for slot in optimizer.state.slots {
            for tensor in slot.tensors {
                for index in tensor.range { slot.values.elements[index] = Float(index) }
            }
        }
        let expected = numbers(optimizer.state)
        let saver = CheckpointSaver(store: fixture.store, keep: 1, tokenizer: nil)
        saver.prepareCopy(for: optimizer.state)
        let state = CheckpointState(iteration: 1, model: shape, dataset: "letters", datasetHash: "", seed: 1)
        saver.begin(state, CheckpointValues(model, optimizer.state), isBest: false, pool: model.pool)
        for slot in optimizer.state.slots { slot.values.elements.update(repeating: 7) }
        let checkpoint = try #require(saver.collect(waiting: true)).result.get()
        let loaded = Self.optimizer(model).state
        try checkpoint.loadOptimizer(into: loaded)
        #expect(numbers(loaded) == expected)
    }

    @Test("Other ranks get every slot of rank 0")
    func spread() throws {
        let shape = shape
        let results = RankThreads.run(3) { communicator in
            let model = GPT(configuration: shape, context: ComputeContext(pool: WorkerPool(threadCount: 1)))
            let state = Self.optimizer(model).state
            if communicator.isMain {
                model.initializeParameters(seed: 1)
                for slot in state.slots {
                    for tensor in slot.tensors {
                        for index in tensor.range { slot.values.elements[index] = Float(index) }
                    }
                }
            }
            try Replicas(communicator: communicator).spread(model, state)
            return [values(model.parameters)] + state.slots.map { values($0.values) }
        }
        let first = try results[0].get()
        #expect(first[1].contains { $0 > 0 })
        for result in results { #expect(try result.get() == first) }
    }

    @Test("What a checkpoint's values read from lives as long as they do")
    func valuesRetain() throws {
        weak var state: OptimizerState?
        weak var owner: GPT?
        func values() -> CheckpointValues {
            let model = model()
            let optimizer = Self.optimizer(model)
            (state, owner) = (optimizer.state, model)
            return CheckpointValues(model, optimizer.state)
        }
        let kept = values()
        #expect(state != nil && owner != nil)
        let hash = kept.withParameters { Checksum.sha256(of: UnsafeRawBufferPointer($0)) }
        #expect(hash == model().parameterHash)
    }
}
