import Compute
import Formats
import Testing
import Transformer

@testable import Performance

@Suite("Generation benchmark")
struct GenerationBenchmarkTests {
    private func model() -> GPT {
        let configuration = GPTConfiguration(
            layerCount: 1,
            headCount: 2,
            embeddingSize: 16,
            blockSize: 32,
            vocabularySize: 50
        )
        let model = GPT(
            configuration: configuration,
            context: ComputeContext(pool: WorkerPool(threadCount: 1)),
            forTraining: false
        )
        model.initializeParameters(seed: 1)
        return model
    }

    @Test("every repetition is timed, and the tokens are those of greedy decoding", arguments: [1, 3])
    func repetitions(samples: Int) {
        let model = model()
        let benchmark = GenerationBenchmark(promptTokens: 5, newTokens: 9, samples: samples, repetitions: 4)
        var seen: [Int] = []
        let result = benchmark.run(model) { seen.append($0) }
        #expect(seen == [1, 2, 3, 4])
        #expect(result.promptSeconds.count == 4 && result.decodeSeconds.count == 4)
        #expect(result.prompt.count == 5 && result.prompt == benchmark.prompt(vocabularySize: 50))
        var expected: [Int32] = []
        let options = SamplingOptions(temperature: 0, maxNewTokens: 9, allowedVocabulary: 50)
        Generator(model: model).generate(prompt: result.prompt, options: options) { token in
            expected.append(token)
            return true
        }
        #expect(result.ids == expected)
    }

    @Test("speeds are medians of tokens per second")
    func medians() {
        let benchmark = GenerationBenchmark(promptTokens: 10, newTokens: 5, samples: 2, repetitions: 4)
        var result = GenerationBenchmark.Result(benchmark: benchmark, prompt: [])
        result.promptSeconds = [1, 4, 2, 2]
        result.decodeSeconds = [1, 4, 2, 3]
        #expect(result.promptTokensPerSecond == 5)
        #expect(abs(result.decodeTokensPerSecond - (8 / 2.0 + 8 / 3.0) / 2) < 1e-12)
        #expect(result.tokensPerSecond == (10 / 4.0 + 10 / 5.0) / 2)
        let configuration = model().configuration
        result.readBandwidth = 1000
        let bytes = 4 * (50 * 16 + 12 * 16 * 16 + 3 * 16)
        #expect(GenerationBenchmark.Result.weightBytes(configuration) == bytes)
        let share = result.decodeTokensPerSecond / 2 * Double(bytes) / 1000
        #expect(abs(result.bandwidthShare(configuration) - share) < 1e-12)
    }

    @Test("the report is one line of JSON with the members that scripts read")
    func json() throws {
        let model = model()
        let report = GenerationBenchmark(promptTokens: 3, newTokens: 2, repetitions: 1).run(model).json(of: model)
        let text = report.text()
        #expect(!text.contains("\n"))
        let parsed = try JSONValue(parsing: Array(text.utf8))
        #expect(parsed["max_new_tokens"]?.integerValue == 2 && parsed["ids"]?.arrayValue?.count == 2)
        for name in [
            "tokens_per_second", "prompt_tokens_per_second", "decode_tokens_per_second", "read_bandwidth_share",
        ] {
            guard case .number(let value) = parsed[name] else {
                Issue.record("\(name) is not a number")
                continue
            }
            #expect(value > 0, "\(name)")
        }
    }
}
