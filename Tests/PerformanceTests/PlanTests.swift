import Configuration
import Foundation
import Formats
import Platform
import TestSupport
import Testing
import Training
import Transformer

@testable import Performance

@Suite("Plans of runs")
struct PlanTests {
    private let shape = GPTConfiguration(
        layerCount: 3,
        headCount: 2,
        embeddingSize: 32,
        blockSize: 64,
        vocabularySize: 65
    )

    @Test("The time of a deeper model follows from one layer, two layers and the head")
    func pieces() {
        let plain = PieceSamples(one: 1.1, two: 2.1, head: nil)  // a base of 0.1, layers of 1
        #expect(abs(plain.seconds(layers: 12, headScale: 1) - 12.1) < 1e-9)
        let withHead = PieceSamples(one: 1.1, two: 2.1, head: (whole: 0.7, small: 0.2))
        #expect(abs(withHead.seconds(layers: 12, headScale: 4) - 14.1) < 1e-9)
        // Noise cannot make the base negative or larger than a quarter of a layer.
        #expect(abs(PieceSamples(one: 1, two: 2.3, head: nil).seconds(layers: 10, headScale: 1) - 11) < 1e-9)
        #expect(PieceSamples(one: 1, two: 1, head: nil).seconds(layers: 10, headScale: 1) >= 5)
    }

    @Test("A ring sends 2 (n - 1) / n of the gradient, of which all but the embeddings overlap with the backward pass")
    func ring() {
        let layout = ParameterLayout(shape)
        let bytes = Double(4 * layout.count)
        let ring = Ring(ranks: 4, bandwidth: Bandwidth(bytesPerSecond: 1e6))
        #expect(abs(ring.seconds(bytes: 1_000_000) - 1.5) < 1e-12)
        let long = ring.cost(configuration: shape, backward: 1000)
        #expect(abs(long.total - 1.5 * bytes / 1e6) < 1e-9)
        #expect(abs(long.exposed - 1.5 * Double(4 * (65 + 64) * 32) / 1e6) < 1e-9)
        #expect(ring.cost(configuration: shape, backward: 0).hidden == 0)
        #expect(abs(ring.cost(configuration: shape, backward: 0.01).hidden - 0.01) < 1e-12)
    }

    private func values(_ change: (inout TrainingConfiguration) -> Void = { _ in }) -> TrainingConfiguration {
        var values = TrainingConfiguration()
        values.layerCount = shape.layerCount
        values.headCount = shape.headCount
        values.embeddingSize = shape.embeddingSize
        values.blockSize = shape.blockSize
        values.batchSize = 8
        values.gradientAccumulationSteps = 5
        values.maxIters = 100
        values.evalInterval = 30
        values.evalIters = 10
        change(&values)
        return values
    }

    private let costs = PieceCosts(chunkTraining: 0.8, chunkForward: 0.2, update: 0.1, sampledToken: 0.001)

    @Test("The time of a run is the sum of steps, evaluations, samples and checkpoints")
    func run() {
        let plan = TimePlan(values: values(), model: shape, costs: costs, storage: 1e6)
        #expect(plan.chunkSequences == 8)  // 512 rows: a micro-batch is one chunk
        #expect(abs(plan.step - (5 * 0.8 + 0.1)) < 1e-9)
        #expect(abs(plan.evaluation - 20 * 0.2) < 1e-9)
        #expect(plan.steps == 100 && plan.evaluations == 5)  // at 0, 30, 60, 90 and 100
        let checkpoint = Double(12 * ParameterLayout(shape).count) / 1e6
        #expect(abs(plan.run - (100 * plan.step + 5 * (plan.evaluation + 0.3) + 4 * checkpoint)) < 1e-6)
        let resumed = TimePlan(values: values(), model: shape, costs: costs, iteration: 60, samples: false)
        #expect(resumed.steps == 40 && resumed.sample == 0 && resumed.checkpoint == 0)
        let evaluation = TimePlan(values: values { $0.evalOnly = true }, model: shape, costs: costs, samples: false)
        #expect(evaluation.steps == 0 && evaluation.run == evaluation.evaluation)
    }

    @Test("The rank with the most sequences determines the time of a step and of an evaluation")
    func ranks() {
        let ring = Ring(ranks: 16, bandwidth: Bandwidth(bytesPerSecond: 1e12))
        let plan = TimePlan(values: values(), model: shape, costs: costs, ring: ring)
        #expect(plan.sequencesPerRank == 3 && plan.chunkSequences == 3)
        #expect(plan.communication.total > 0)
        #expect(abs(plan.step - (0.8 + 0.1 + plan.communication.exposed)) < 1e-9)
        #expect(abs(plan.evaluation - 10.0 / 3 * 0.2) < 1e-9)
    }

    @Test(
        "The time limit for Slurm adds 20 % and five minutes",
        arguments: [(100, "00:14:00"), (200_000, "273:26:00")]
    )
    func slurm(steps: Int, text: String) {
        let plan = TimePlan(
            values: values {
                $0.maxIters = steps
                $0.evalInterval = 1_000_000
                $0.evalIters = 1
            },
            model: shape,
            costs: costs,
            samples: false
        )
        #expect(plan.slurmTime == text, "\(plan.run) s")
    }

    @Test("The vocabulary size is the given one, else the dataset's, else the preset's")
    func vocabulary() throws {
        var values = Preset.gpt2.values
        values.dataDir = "/nonexistent"
        let natural = try PlannedData(configuration: values)
        #expect(natural.vocabularySize == 50304 && natural.bytes == nil && !natural.samples)
        #expect(natural.vocabularyOrigin == "preset gpt2, as there is no dataset openwebtext in /nonexistent")
        #expect(try PlannedData(configuration: values, vocabularySize: 100).vocabularySize == 100)
        let characters = try PlannedData(configuration: Preset.baby.values)
        #expect(characters.vocabularySize == 65 && characters.samples)

        let folder = try TemporaryFolder()
        try FileSystem.createFolder(folder("tokens"))
        for name in ["train.bin", "val.bin"] {
            try Data([1, 0, 2, 0, 3, 0]).write(to: URL(fileURLWithPath: folder("tokens/\(name)")))
        }
        values.dataDir = folder.path
        values.dataset = "tokens"
        let found = try PlannedData(configuration: values)
        #expect(
            found == PlannedData(vocabularySize: 50304, vocabularyOrigin: "dataset tokens", bytes: 12, samples: false)
        )
    }

    @Test("A plan has every number in its JSON object and leaves no file")
    func plan() throws {
        let folder = try TemporaryFolder()
        let values = values {
            $0.outDir = folder("runs/out")
            $0.threads = 1
        }
        let data = PlannedData(vocabularySize: 65, vocabularyOrigin: "a test", bytes: 1000, samples: true)
        let plan = try RunPlan(values: values, data: data, ranks: 2, bandwidth: Bandwidth(parsing: "1"))
        let members = try JSONValue(parsing: Array(plan.json.text().utf8))
        for key in [
            "preset", "n_layer", "n_head", "n_embd", "block_size", "batch_size", "vocab_size", "vocabulary_from",
            "parameters", "ranks", "threads", "gemm_peak_gflops", "copy_bytes_per_second", "memory_bytes", "memory",
            "available_bytes", "fits", "chunk_sequences", "sequences_per_rank", "step_seconds", "pass_seconds",
            "update_seconds", "tokens_per_second", "evaluation_seconds", "sample_seconds", "checkpoint_seconds",
            "steps",
            "evaluations", "run_seconds", "slurm_time", "bandwidth_bytes_per_second", "communication_seconds",
            "communication_hidden_seconds",
        ] {
            #expect(members[key] != nil, "\(key)")
        }
        let memory = try #require(members["memory"])
        let parts = [
            "parameters", "gradients", "moments", "activations", "logits", "batches", "samples", "token_files",
            "program",
        ]
        #expect(parts.compactMap { memory[$0]?.integerValue }.reduce(0, +) == members["memory_bytes"]?.integerValue)
        #expect(plan.time.step > 0 && plan.time.evaluation > 0 && plan.time.sample > 0 && plan.time.update > 0)
        #expect(plan.refusal == nil)
        #expect(try FileSystem.names(inFolder: folder.path).isEmpty, "the file for the storage measurement is removed")
        #expect(plan.text.contains("memory per rank: "))
        #expect(plan.text.contains("Slurm: --time="))
    }

    @Test("More ranks than sequences, or several ranks without a bandwidth, are refused")
    func refused() throws {
        let data = PlannedData(vocabularySize: 65, vocabularyOrigin: "a test", bytes: nil, samples: false)
        let many = #expect(throws: UserError.self) {
            try RunPlan(values: values(), data: data, ranks: 41, bandwidth: Bandwidth(parsing: "1"))
        }
        #expect(many?.message.contains("an iteration has 40 sequences") == true)
        let unknown = #expect(throws: UserError.self) { try RunPlan(values: values(), data: data, ranks: 2) }
        #expect(unknown?.message.contains("--bandwidth") == true)
    }
}
