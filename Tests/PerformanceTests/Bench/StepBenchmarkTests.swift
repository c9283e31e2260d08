import Compute
import Configuration
import Datasets
import Formats
import Testing
import Training
import Transformer

@testable import Performance

@Suite("Benchmark of training steps")
struct StepBenchmarkTests {
    static let tiny = [
        ("n_layer", "2"), ("n_head", "2"), ("n_embd", "16"), ("block_size", "16"), ("batch_size", "3"),
        ("dropout", "0.1"), ("bias", "true"), ("threads", "2"),
    ]

    @Test("Speed and operations follow from the median step, and the profile has every part of the model")
    func measurement() throws {
        let shape = try BenchPreset.baby.shape(with: Self.tiny, vocabularySize: 40)
        let result = try StepBenchmark(shape: shape, warmUp: 1, steps: 5).run()
        #expect(result.seconds.count == 5)
        #expect(result.seconds.allSatisfy { $0 > 0 })
        #expect(result.tokensPerSecond == 48 / result.spread.median)
        #expect(result.countedOperations == result.tokensPerSecond * shape.model.operationsPerToken)
        #expect(result.peak > 1e8)
        let seen = Set(result.profile.seconds.map(\.part))
        let expected: Set<Part> = [
            .attention, .activation, .layerNorm, .loss, .dropout, .residual, .bias, .embedding, .optimizer, .clipping,
            .gradientZeroing, .other, .linearForward, .linearInputGradient, .linearWeightGradient, .attentionProducts,
            .headProducts,
        ]
        #expect(expected.isSubset(of: seen), "missing: \(expected.subtracting(seen))")
        let total = result.profile.seconds.reduce(0) { $0 + $1.seconds }
        #expect(abs(result.profile.share(total) - 1) < 1e-9)
        #expect(result.lines.last?.hasPrefix("the part \"dropout\" is drawing masks;") == true)
    }

    @Test("The JSON object has the members that scripts read, with positive values")
    func json() throws {
        let shape = try BenchPreset.char.shape(with: Self.tiny)
        let result = try StepBenchmark(shape: shape, warmUp: 0, steps: 2).run()
        let json = try JSONValue(parsing: Array(result.json.text().utf8))
        for name in ["tokens_per_second", "counted_gflops", "gemm_peak_gflops", "median_ms", "min_ms", "max_ms"] {
            guard case .number(let value) = json[name] else {
                Issue.record("\(name): \(String(describing: json[name]))")
                continue
            }
            #expect(value > 0, "\(name)")
        }
        #expect(json["peak_rss_bytes"]?.integerValue ?? 0 > 1 << 20)
        #expect(json["threads"] == .integer(2))
        #expect(json["shape"]?["vocab_size"] == .integer(65))
        #expect(json["shape"]?["dropout"] == .number(0.1))
        #expect(json["parts"]?.arrayValue?.isEmpty == false)
    }

    @Test("Presets have their documented shapes")
    func presets() throws {
        func text(_ preset: BenchPreset) throws -> String {
            let shape = try preset.shape()
            let (model, training) = (shape.model, shape.training)
            return "\(model.layerCount)/\(model.headCount)/\(model.embeddingSize), \(model.blockSize), "
                + "\(training.batchSize) x \(training.gradientAccumulationSteps), \(model.vocabularySize), "
                + "\(training.dropout), clip \(training.gradClip)"
        }
        #expect(try text(.baby) == "4/4/128, 64, 12 x 1, 65, 0.0, clip 1.0")
        #expect(try text(.char) == "6/6/384, 256, 64 x 1, 65, 0.2, clip 1.0")
        #expect(try text(.charWithoutDropout) == "6/6/384, 256, 64 x 1, 65, 0.0, clip 1.0")
        #expect(try text(.gpt2) == "12/12/768, 1024, 1 x 1, 50304, 0.0, clip 1.0")
        #expect(try text(.gpt2Medium) == "24/16/1024, 1024, 1 x 1, 50304, 0.0, clip 1.0")
        for preset in BenchPreset.allCases { #expect(try preset.shape().training.gradientAccumulationSteps == 1) }
    }

    @Test("Recording a profile does not change the results of a step")
    func sameBits() throws {
        func parameters(recorded: Bool) throws -> [UInt32] {
            let shape = try BenchPreset.baby.shape(with: Self.tiny)
            let pool = WorkerPool(threadCount: 2)
            let model = GPT(configuration: shape.model, context: ComputeContext(pool: pool))
            model.initializeParameters(seed: 1)
            let tokens = (0..<500).map { Int32($0 * $0 % 65) }
            let step = TrainingStep(
                model: model,
                optimizer: Optimizer(layout: model.layout, configuration: shape.training),
                sampler: try BatchSampler(
                    sequence: TokenSequence(tokens: tokens, vocabularySize: 65),
                    blockSize: 16,
                    sequencesPerStep: 3,
                    order: .random,
                    seed: 1
                ),
                configuration: shape.training
            )
            let profile = Profile(pool: pool, eventsPerWorker: 100)
            for iteration in 0..<3 {
                if recorded {
                    _ = try profile.record { try step.update(iteration) }
                } else {
                    _ = try step.update(iteration)
                }
            }
            return model.parameters.elements.map(\.bitPattern)
        }
        let plain = try parameters(recorded: false)
        #expect(try parameters(recorded: true) == plain)
        #expect(Set(plain).count > 100)
    }

    @Test("Median and quartiles are interpolated linearly")
    func spread() {
        let spread = Spread([4, 1, 3, 2])
        #expect(spread.count == 4)
        #expect(spread.minimum == 1 && spread.maximum == 4)
        #expect(spread.lowerQuartile == 1.75 && spread.median == 2.5 && spread.upperQuartile == 3.25)
        #expect(Spread([7]).median == 7)
    }
}
