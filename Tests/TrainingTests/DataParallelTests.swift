import Collectives
import Compute
import Configuration
import Datasets
import Foundation
import Platform
import TestSupport
import Testing
import Transformer

@testable import Training

/// Ranks as threads of one process, each with a trainer of its own on the same data.
@Suite("Data-parallel training")
struct DataParallelTests {
    struct Run {
        var losses: [Double] = []
        var hash = ""
        var evaluations: [EvaluationReport] = []
        var outcome: Trainer.Outcome?
        var lines: [String] = []
    }

    /// Trains with so many ranks; the run of each.
    private static func train(
        _ fixture: TrainingFixture,
        dataset: Dataset? = nil,
        ranks: Int,
        stop: [Int: StopRequest] = [:],
        over transport: RankThreads.Transport = .inProcess,
        change: (inout TrainingConfiguration) -> Void = { _ in },
        rankChange: @escaping (Int, inout TrainingConfiguration) -> Void = { _, _ in }
    ) -> [Result<Run, any Error>] {
        var values = fixture.configuration
        change(&values)
        let configuration = values
        let dataset = dataset ?? fixture.dataset
        return RankThreads.run(ranks, over: transport) { communicator in
            var run = Run()
            var values = configuration
            rankChange(communicator.rank, &values)
            let lines = Lines()
            let sink = RunOutput.Sink(line: { lines.all.append($0) }, note: { lines.all.append($0) })
            let watcher = Watcher()
            let trainer = try Trainer(
                configuration: ResolvedConfiguration(values),
                dataset: dataset,
                stop: stop[communicator.rank] ?? StopRequest(),
                output: RunOutput(sink, linesGoToTerminal: false),
                observers: [watcher],
                peak: 1e11,
                communicator: communicator,
                version: "test"
            )
            run.outcome = try trainer.run()
            run.losses = watcher.steps.map(\.loss)
            run.evaluations = watcher.evaluations
            run.hash = trainer.model.parameterHash
            run.lines = lines.all
            return run
        }
    }

    private static let tinyModel = GPTConfiguration(
        layerCount: 1,
        headCount: 1,
        embeddingSize: 8,
        blockSize: 8,
        vocabularySize: 16,
        bias: false,
        dropout: 0,
        activation: .gelu
    )

    private final class Lines {
        var all: [String] = []
    }

    /// 50 steps with dropout and clipping.
    private static func long(_ values: inout TrainingConfiguration) {
        values.batchSize = 4
        values.gradientAccumulationSteps = 4
        values.maxIters = 50
        values.lrDecayIters = 50
        values.evalInterval = 25
        values.gradClip = 0.5
        values.bucketMegabytes = 1
        values.checkInterval = 10
    }

    @Test("Any number of ranks trains on the same batch: losses agree, with dropout, clipping and unequal shares")
    func anyNumberOfRanks() throws {
        let alone = try Self.train(TrainingFixture(), ranks: 1, change: Self.long)[0].get()
        #expect(alone.losses.count == 50)
        for ranks in [2, 3, 4, 16] {
            let runs = try Self.train(TrainingFixture(), ranks: ranks, change: Self.long).map { try $0.get() }
            let difference = zip(alone.losses, runs[0].losses).map { abs($0 - $1) }.max()!
            #expect(runs[0].losses.count == 50)
            #expect(difference < 1e-4, "\(ranks) ranks: losses differ by \(difference)")
            #expect(Set(runs.map(\.hash)).count == 1, "replicas of \(ranks) ranks differ")
            for (one, other) in zip(alone.evaluations, runs[0].evaluations) {
                #expect(abs(try #require(one.losses.validation) - #require(other.losses.validation)) < 1e-4)
            }
        }
    }

    @Test("A world size has its bits, whatever the transport, the buckets and who evaluates")
    func sameBits() throws {
        func hash(_ transport: RankThreads.Transport, _ change: (inout TrainingConfiguration) -> Void) throws -> String
        {
            try Self.train(TrainingFixture(), ranks: 3, over: transport, change: change)[0].get().hash
        }
        let expected = try hash(.inProcess) { _ in }
        #expect(try hash(.sockets) { $0.bucketMegabytes = 64 } == expected)
        #expect(try hash(.sockets) { $0.evalOn = .rank0 } == expected)
        #expect(try hash(.inProcess) { $0.threads = 2 } == expected)
        #expect(try hash(.inProcess) { $0.seed = 7 } != expected)
    }

    @Test("Ranks agree on evaluations of a validation split shorter than a block, and of none", arguments: [0, 6])
    func shortValidation(count: Int) throws {
        func evaluations(_ ranks: Int) throws -> [EvaluationLosses] {
            let fixture = try TrainingFixture()
            try AtomicFile.write([UInt8](repeating: 0, count: 2 * count), to: fixture.folder("letters/val.bin"))
            let dataset = try Dataset.open(folder: fixture.folder.path, name: "letters")
            let runs = try Self.train(fixture, dataset: dataset, ranks: ranks) { $0.evalIters = 3 }.map { try $0.get() }
            let name = count == 0 ? "no validation loss: " : "the validation split has 5 targets, fewer than"
            #expect(
                runs.map { $0.lines.filter { $0.hasPrefix(name) }.count } == [1] + Array(repeating: 0, count: ranks - 1)
            )
            return runs[0].evaluations.map(\.losses)
        }
        let alone = try evaluations(1)
        #expect(alone.count == 3 && alone.allSatisfy { ($0.validation == nil) == (count == 0) })
        for ranks in [2, 3] {
            for (one, other) in zip(alone, try evaluations(ranks)) {
                #expect(abs(one.train - other.train) < 1e-4)
                #expect(abs((one.validation ?? 0) - (other.validation ?? 0)) < 1e-4)
            }
        }
    }

    @Test("Evaluations have the same figures on all ranks as on rank 0 alone")
    func evaluation() throws {
        func losses(_ ranks: Int, _ on: EvaluationRanks) throws -> [EvaluationLosses] {
            try Self.train(TrainingFixture(), ranks: ranks) {
                $0.evalOn = on
                $0.evalIters = 5
                $0.maxIters = 0
            }[0].get().evaluations.map(\.losses)
        }
        let expected = try losses(1, .all)
        #expect(expected.count == 1)
        for ranks in [2, 3, 4] {
            #expect(try losses(ranks, .all) == expected)
            #expect(try losses(ranks, .rank0) == expected)
        }
    }

    @Test("Shares cover every sequence once and differ by one at most", arguments: [1, 2, 3, 7, 16, 480])
    func shares(worldSize: Int) {
        let shares = (0..<worldSize).map { TrainingStep.share(of: 480, rank: $0, worldSize: worldSize) }
        #expect(shares.flatMap { Array($0) } == Array(0..<480))
        #expect(shares.map(\.count).max()! - shares.map(\.count).min()! <= 1)
    }

    @Test("More ranks than sequences are refused on every rank")
    func tooManyRanks() throws {
        for result in try Self.train(TrainingFixture(), ranks: 7) {
            let error = #expect(throws: JobError.self) { try result.get() }?.error
            #expect(error?.kind == .usage && error!.message.contains("7 ranks are more than the 6 sequences"))
        }
    }

    @Test("Ranks with different options are refused, with the key, both values and both ranks")
    func differingOptions() throws {
        let results = try Self.train(TrainingFixture(), ranks: 3, rankChange: { if $0 == 2 { $1.learningRate = 0.5 } })
        for result in results {
            let error = #expect(throws: JobError.self) { try result.get() }?.error
            #expect(error?.kind == .usage)
            #expect(
                error!.message.hasPrefix(
                    "learning_rate differs between the ranks of this job: 0.01 on rank 0 (host0), 0.5 on rank 2 (host2)"
                ),
                "\(error!.message)"
            )
        }
        // What is a rank's own may differ.
        let own = try Self.train(TrainingFixture(), ranks: 2, rankChange: { $1.threads = $0 + 1 })
        for result in own { _ = try result.get() }
    }

    @Test(
        "A request to stop on any rank stops all after the same step, and a resume ends with the same bits",
        arguments: [2, 4]
    )
    func stop(worldSize: Int) throws {
        let undisturbed = try TrainingFixture()
        let whole = try Self.train(undisturbed, ranks: worldSize)[0].get()
        let fixture = try TrainingFixture()
        let stop = StopRequest()
        stop.request()
        let stopped = try Self.train(fixture, ranks: worldSize, stop: [1: stop]).map { try $0.get() }
        #expect(stopped.allSatisfy { $0.outcome == .stopped })
        #expect(try fixture.store.iterations().first == stopped[0].losses.count)
        #expect(stopped[0].losses.count < whole.losses.count)
        let resumed = try Self.train(fixture, ranks: worldSize) { $0.initFrom = "resume" }.map { try $0.get() }
        #expect(resumed.allSatisfy { $0.outcome == .finished && $0.hash == whole.hash })
        #expect(stopped[0].losses + resumed[0].losses == whole.losses)
        let checkpoints = try [undisturbed, fixture].map { try $0.store.open(.latest) }
        let difference = try CheckpointDifference(checkpoints[0], checkpoints[1])
        #expect(difference.tensors.isEmpty && difference.shapes.isEmpty, "\(difference.tensors)")
        #expect(difference.facts.allSatisfy { ["out_dir", "data_dir"].contains($0.name) }, "\(difference.facts)")
    }

    @Test("A step within which one rank is asked to stop changes nothing on any rank", arguments: [1, 2, 3])
    func abandonedStep(ranks: Int) throws {
        func train(stopping: Bool) throws -> [String] {
            let fixture = try TrainingFixture()
            let (values, dataset) = (fixture.configuration, fixture.dataset)
            return try RankThreads.run(ranks) { communicator in
                let step = try Self.step(values, dataset, communicator)
                _ = try step.update(0)
                let hash = step.model.parameterHash
                if stopping {
                    let stop = StopRequest()
                    #expect(throws: TrainingStep.Abandoned.self) {
                        try step.update(1, stop: stop) { _ in if communicator.rank == ranks - 1 { stop.request() } }
                    }
                    #expect(step.model.parameterHash == hash)
                }
                _ = try step.update(1)
                #expect(step.model.parameterHash != hash)
                return step.model.parameterHash
            }.map { try $0.get() }
        }
        let undisturbed = try train(stopping: false)
        #expect(Set(undisturbed).count == 1)
        #expect(try train(stopping: true) == undisturbed)
    }

    private static func step(
        _ values: TrainingConfiguration,
        _ dataset: Dataset,
        _ communicator: Communicator
    ) throws -> TrainingStep {
        let shape = values.model(vocabularySize: 16)
        let model = GPT(
            configuration: shape,
            context: ComputeContext(pool: WorkerPool(threadCount: 2)),
            forTraining: true
        )
        model.initializeParameters(seed: 1)
        return TrainingStep(
            model: model,
            optimizer: Optimizer(layout: model.layout, configuration: values),
            sampler: try BatchSampler(
                sequence: dataset.train,
                blockSize: shape.blockSize,
                // Several micro-batches for each of three ranks.
                sequencesPerStep: 18,
                order: .random,
                seed: 1
            ),
            configuration: values,
            communicator: communicator
        )
    }

    @Test("A run goes on with another number of ranks")
    func otherWorldSize() throws {
        let whole = try Self.train(TrainingFixture(), ranks: 2)[0].get()
        let fixture = try TrainingFixture()
        _ = try Self.train(fixture, ranks: 2) { $0.maxIters = 4 }[0].get()
        let resumed = try Self.train(fixture, ranks: 3) { $0.initFrom = "resume" }[0].get()
        let difference = zip(whole.losses.dropFirst(4), resumed.losses).map { abs($0 - $1) }.max()!
        #expect(resumed.losses.count == 4 && difference < 1e-4, "\(difference)")
    }

    @Test("Replicas that drift stop the job and are named")
    func drift() throws {
        let results = RankThreads.run(3) { communicator in
            let model = GPT(
                configuration: Self.tinyModel,
                context: ComputeContext(pool: WorkerPool(threadCount: 1))
            )
            model.initializeParameters(seed: 1)
            if communicator.rank == 1 { model.parameters.base[17] += 1e-6 }
            try Replicas(communicator: communicator).check(model, at: "iteration 100")
        }
        for result in results {
            let error = #expect(throws: JobError.self) { try result.get() }?.error
            #expect(error!.message.hasPrefix("at iteration 100 the parameters of rank 1 (host1) differ"))
        }
    }

    private final class Gradients {
        let floats: FloatBuffer

        init(count: Int) { floats = FloatBuffer(count: count) }
    }

    @Test("Every rank's gradient is in the sum once, whatever the buckets", arguments: [1, 2, 3, 5, 16], [1, 1 << 20])
    func everyGradientOnce(worldSize: Int, bucketBytes: Int) throws {
        // Powers of four: one that is missing or counted twice shows in the sum which it was.
        let count = 300_001
        let results = RankThreads.run(worldSize) { communicator in
            let owner = Gradients(count: count)
            owner.floats.base.update(repeating: Float(1 << (2 * (communicator.rank % 12))), count: count)
            let reducer = GradientReducer(
                communicator: communicator,
                gradients: owner.floats,
                owner: owner,
                bucketBytes: bucketBytes
            )
            // As a backward pass reports it, not on the borders of buckets.
            for index in stride(from: count, through: 0, by: -70_001) { reducer.finished(from: index) }
            try reducer.finish()
            return Set(owner.floats.elements)
        }
        let expected = (0..<worldSize).reduce(Float(0)) { $0 + Float(1 << (2 * ($1 % 12))) }
        for result in results { #expect(try result.get() == [expected]) }
    }

    @Test("The first buckets of a gradient are those of its end, moved to the beginning of a buffer")
    func firstBuckets() throws {
        let results = RankThreads.run(2) { GradientBuckets(count: 300_000, atMost: 1, communicator: $0) }
        let buckets = try results[0].get()
        #expect(
            buckets.ranges == [262_144..<300_000, 196_608..<262_144, 131_072..<196_608, 65_536..<131_072, 0..<65_536]
        )
        #expect(buckets.first(atMost: 4 * 110_000) == [65_536..<103_392, 0..<65_536])
        #expect(buckets.first(atMost: 1) == [0..<37_856])
        #expect(buckets.first(atMost: 1 << 30) == buckets.ranges)
    }

    @Test("A rank's share of cores follows from what all local ranks may run on")
    func threads() {
        func share(_ own: [Int], _ all: [[Int]], quota: Int? = nil, asked: Int = 0) -> ThreadShare {
            ThreadShare(asked: asked, own: own, neighbours: all, quota: quota)
        }
        let eight = Array(0..<8)
        #expect(share(eight, [eight]).threads == 8)
        #expect(share(eight, [eight, eight, eight]).threads == 2)
        #expect(share([0, 1], [[0, 1], [2, 3]]).threads == 2)
        #expect(share([0], [[0], [0], [0]]).threads == 1)
        #expect(share(eight, [eight, eight], quota: 4).threads == 2)
        #expect(share(eight, [eight]).warning == nil)
        #expect(share([3], [[3], [4]], asked: 4).warning?.contains("bound to 1 core") == true)
    }
}
