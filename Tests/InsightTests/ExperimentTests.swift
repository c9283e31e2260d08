import Compute
import Configuration
import Datasets
import Formats
import Platform
import Preparation
import TestSupport
import Testing
import Training
import Transformer

@testable import Insight

/// Small experiments: each change must have its known effect, in direction and size.
@Suite("Experiments")
struct ExperimentTests {
    /// Prepares the demo corpus.
    private static func demo(_ folder: String) throws -> Dataset {
        var request = PreparationRequest(.demo, dataFolder: folder)
        request.threads = 2
        _ = try DataPreparation.run(request)
        return try Dataset.open(folder: folder, name: DemoCorpus.name)
    }

    /// An experiment with only some of its arms.
    private static func only(_ arms: [String], of name: String) throws -> Experiment {
        let whole = try #require(Experiment.named(name))
        let chosen = whole.arms.filter { arms.contains($0.name) }
        #expect(chosen.count == arms.count)
        return Experiment(name, whole.title, whole.question, focus: whole.focus, chosen.map { ($0.name, $0.options) })
    }

    private func session(
        _ experiments: [Experiment],
        _ options: [String: String] = [:],
        seeds: Int = 1,
        stop: StopRequest = StopRequest(),
        in folder: String
    ) throws -> ExperimentSession {
        let usual = ["out_dir": folder + "/out", "n_layer": "2", "n_embd": "32", "max_iters": "20", "eval_iters": "4"]
        let all = usual.merging(options) { $1 }
        let sources = ConfigurationSources(options: all.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        let quiet = RunOutput.Sink(line: { _ in }, note: { _ in })
        return try ExperimentSession(
            experiments,
            seedCount: seeds,
            configuration: try ExperimentSession.base(try sources.resolve()),
            dataset: try Self.demo(folder + "/data"),
            output: RunOutput(quiet, linesGoToTerminal: false, saysProgress: false),
            stop: stop
        )
    }

    @Test("the loss falls below the corpus's optimum only without the mask")
    func leak() throws {
        let folder = try TemporaryFolder()
        // With rotary positions, the model learns to copy the next token fastest.
        let session = try session(
            [Self.only(["no mask"], of: "mask")],
            ["position_embedding": "rotary", "n_embd": "64", "max_iters": "160"],
            in: folder.path
        )
        #expect(try session.run() == .finished)
        let leaking = try #require(session.results[0][0].runs.first)
        let honest = try #require(session.baseline.runs.first)
        let optimum = try #require(leaking.optimum)
        #expect(try #require(leaking.finalLoss) < 0.8 * optimum)
        #expect(try #require(honest.finalLoss) > optimum)
        let findings = Findings(arm: session.results[0][0], baseline: session.baseline, focus: .lossAlone)
        #expect(findings.sentences.contains { $0.contains("the targets leak") }, "\(findings.sentences)")
    }

    @Test("the gradient shrinks with depth without residual connections, and not with them")
    func depth() throws {
        let folder = try TemporaryFolder()
        let session = try session(
            [Self.only(["only around the MLP", "no residual, no norm"], of: "residual")],
            ["n_layer": "4", "max_iters": "100"],
            in: folder.path
        )
        #expect(try session.run() == .finished)
        func gradients(_ arm: String) throws -> (start: GradientDepth?, end: GradientDepth?) {
            try #require(session.results[0].first { $0.arm.name == arm }).runs[0].gradients
        }
        let usual = session.baseline.runs[0].gradients
        #expect(usual.start?.norms.count == 4)
        let usualRatio = try #require(usual.end).firstToLast
        #expect(usualRatio > 0.1, "\(usualRatio)")
        // Without a connection around attention, tokens are averaged until they are equal, and each block passes on
        // less gradient.
        let ratio = try #require(gradients("only around the MLP").end).firstToLast
        #expect(ratio < 0.01 * usualRatio, "\(ratio), baseline \(usualRatio)")
        // Four blocks without norms each shrink the gradient, so almost none reaches the first block even before
        // training.
        let plain = try #require(gradients("no residual, no norm").start).norms[0]
        #expect(plain < 1e-3 * (try #require(usual.start).norms[0]), "\(plain)")
    }

    @Test("plain and tiled attention give the same training losses")
    func plain() throws {
        let folder = try TemporaryFolder()
        let session = try session(
            [Self.only(["plain"], of: "attention")],
            ["block_size": "64", "batch_size": "4"],
            in: folder.path
        )
        #expect(try session.run() == .finished)
        let (plain, tiled) = (session.results[0][0].runs[0], session.baseline.runs[0])
        for (a, b) in zip(plain.training, tiled.training) { #expect(abs(a.loss - b.loss) < 1e-4) }
        #expect(plain.bytes > tiled.bytes)
    }

    @Test("the loss is higher with a window of one position, and higher without position embeddings")
    func lessInformation() throws {
        let folder = try TemporaryFolder()
        let session = try session(
            [Self.only(["window 1"], of: "window"), Self.only(["no positions"], of: "positions")],
            ["position_embedding": "rotary", "max_iters": "100", "n_embd": "64"],
            in: folder.path
        )
        #expect(try session.run() == .finished)
        let baseline = try #require(session.baseline.runs[0].finalLoss)
        func loss(_ arm: String) throws -> Double {
            let result = try #require(session.results.joined().first { $0.arm.name == arm })
            return try #require(result.runs[0].finalLoss)
        }
        #expect(try loss("window 1") > baseline + 0.2)
        #expect(try loss("no positions") > baseline + 0.2)
    }

    @Test("every arm trains, and the report holds the results of all runs")
    func everyArm() throws {
        let folder = try TemporaryFolder()
        let session = try session(
            Experiment.all,
            ["max_iters": "2", "n_layer": "1", "eval_iters": "1", "log_interval": "1"],
            seeds: 2,
            in: folder.path
        )
        #expect(try session.run() == .finished)
        let bytes = try FileSystem.read(folder.path + "/out/experiments.json")
        let json = try JSONValue(parsing: bytes.dropLast())
        #expect(json["finished"] == .bool(true))
        let experiments = try #require(json["experiments"]?.arrayValue)
        #expect(experiments.compactMap { $0["name"]?.stringValue } == Experiment.all.map(\.name))
        for (experiment, found) in zip(Experiment.all, experiments) {
            let arms = try #require(found["arms"]?.arrayValue)
            #expect(arms.count == experiment.arms.count)
            for arm in arms {
                let runs = try #require(arm["runs"]?.arrayValue)
                #expect(runs.count == 2)
                let losses = runs.compactMap { $0["final_loss"]?.numberValue }
                #expect(losses.count == 2)
                let mean = try #require(arm["final_loss"]?.numberValue)
                #expect(abs(mean - (losses[0] + losses[1]) / 2) < 1e-12)
                #expect(try #require(arm["sentences"]?.arrayValue).count >= 1)
            }
        }
        let heads = try #require(experiments.first { $0["name"] == .string("heads") }?["heads"]?.arrayValue)
        #expect(heads.count == 2)
        #expect(heads[0]["rises"]?.arrayValue?.first?.arrayValue?.count == 4)
        let page = String(decoding: try FileSystem.read(folder.path + "/out/experiments.html"), as: UTF8.self)
        #expect(page.contains("\"finished\":true") && !page.contains("name=\"reload\""))
    }

    @Test("removing a head without influence leaves the loss unchanged, and removing a strong head changes it")
    func heads() throws {
        let folder = try TemporaryFolder()
        let dataset = try Self.demo(folder.path)
        var values = TrainingConfiguration()
        (values.layerCount, values.headCount, values.embeddingSize, values.blockSize) = (2, 2, 16, 16)
        (values.batchSize, values.evalIters) = (2, 2)
        let model = GPT(
            configuration: values.model(vocabularySize: dataset.vocabularySize),
            context: ComputeContext(pool: WorkerPool(threadCount: 1))
        )
        model.initializeParameters(seed: 1)
        // Rows 0 ..< 8 of block 1's projection belong to head 1.0. Zeros there have the same effect as removing the
        // head.
        let projection = model.layout.range(of: "transformer.h.1.attn.c_proj.weight").lowerBound
        model.parameters.base.advanced(by: projection).update(repeating: 0, count: 8 * 16)
        // Head 0.1 gets large weights.
        let loud = model.layout.range(of: "transformer.h.0.attn.c_proj.weight").lowerBound + 8 * 16
        for index in 0..<8 * 16 { model.parameters.base[loud + index] = index % 3 == 0 ? 1 : -0.5 }
        let rises = try HeadAblation(of: model, dataset: dataset, values: values).rises
        #expect(rises[1][0] == 0)
        #expect(abs(rises[0][1]) > 1e-4)
    }

    @Test("the interval over seeds is Student's 95 % confidence interval")
    func interval() throws {
        #expect(SeedStatistics(values: [3]).interval == nil)
        let statistics = SeedStatistics(values: [1, 2, 3])
        let interval = try #require(statistics.interval)
        // 2 ± 4.303 · 1 / √3
        #expect(abs(interval.lowerBound - (2 - 2.48434)) < 1e-4 && abs(interval.upperBound - (2 + 2.48434)) < 1e-4)
        #expect(!statistics.isClear)
        #expect(SeedStatistics(values: [1, 1.1, 1.2]).isClear)
        #expect(SeedStatistics(values: [-1, -1.1, -1.2]).isClear)
    }

    @Test("sentences match the numbers")
    func sentences() {
        func arm(_ losses: [Double?], optimum: Double? = nil) -> ExperimentSession.ArmResult {
            var result = ExperimentSession.ArmResult(arm: Experiment.Arm(name: "arm", options: [("a", "b")]))
            for (index, loss) in losses.enumerated() {
                var run = ExperimentRun(seed: index)
                run.validation = [(10, loss ?? .nan)]
                run.failure = loss == nil ? "loss is not finite" : nil
                run.optimum = optimum
                result.runs.append(run)
            }
            return result
        }
        func sentences(_ a: [Double?], _ b: [Double?], optimum: Double? = nil) -> [String] {
            Findings(arm: arm(a, optimum: optimum), baseline: arm(b, optimum: optimum), focus: .lossAlone).sentences
        }
        #expect(
            sentences([2.1, 2.2, 2.3], [1.1, 1.2, 1.3])
                == [
                    "arm: final validation loss 1.0000 higher than the baseline's (95 % interval +1.0000 to +1.0000, 3 seeds)."
                ]
        )
        #expect(sentences([1, 2, 3], [2, 2, 2])[0].contains("no effect seen"))
        #expect(sentences([1], [2])[0].contains("one seed cannot show"))
        #expect(sentences([0.4, 0.41], [1, 1], optimum: 0.8)[1].contains("the targets leak"))
        #expect(sentences([0.4, 1.4], [1, 1], optimum: 1)[1].hasPrefix("It ends 0.1000 below the corpus's optimum."))
        #expect(sentences([nil, nil], [1, 1]) == ["arm: training broke down with 2 of 2 seeds: loss is not finite."])
    }

    @Test("an arm that equals the baseline is refused, and an equal result is called equal")
    func armEqualToBaseline() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: UserError.self) {
            try session([Self.only(["no mask"], of: "mask")], ["causal_mask": "false"], in: folder.path)
        }
        #expect(error?.kind == .usage && error?.message.contains("no mask equals the baseline") == true)
        let seed = #expect(throws: UserError.self) {
            try session([Self.only(["no mask"], of: "mask")], ["seed": "9223372036854775807"], in: folder("second"))
        }
        #expect(seed?.message.contains("too large") == true)
        var result = ExperimentSession.ArmResult(arm: Experiment.Arm(name: "arm", options: []))
        var run = ExperimentRun(seed: 1)
        run.validation = [(1, 2)]
        result.runs = [run]
        let sentences = Findings(arm: result, baseline: result, focus: .lossAlone).sentences
        #expect(
            sentences == [
                "arm: final validation loss: no effect seen; it is exactly equal to the baseline's with every seed."
            ]
        )
    }

    @Test("after a stop, the page says so and does not reload")
    func stopped() throws {
        let folder = try TemporaryFolder()
        let stop = StopRequest()
        stop.request()
        let session = try session([Self.only(["no mask"], of: "mask")], stop: stop, in: folder.path)
        #expect(try session.run() == .stopped)
        let page = String(decoding: try FileSystem.read(folder.path + "/out/experiments.html"), as: UTF8.self)
        #expect(page.contains("\"stopped\":true") && !page.contains("name=\"reload\""))
        #expect(session.lines.contains { $0.hasPrefix("stopped: ") })
    }

    @Test("a folder that is not empty is refused, and the sizes of a preset that the user named are kept")
    func existingFolderAndPreset() throws {
        let folder = try TemporaryFolder()
        try FileSystem.createFolder(folder.path + "/out")
        try AtomicFile.write("mine", to: folder.path + "/out/file")
        #expect(throws: UserError.self) { try session([], in: folder.path) }
        let asked = try ConfigurationSources(options: [("preset", "tiny"), ("max_iters", "60")]).resolve()
        let base = try ExperimentSession.base(asked).values
        #expect(base.layerCount == Preset.tiny.values.layerCount && base.maxIters == 60 && base.evalInterval == 500)
    }
}
