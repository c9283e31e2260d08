import Platform
import Compute
import Testing

@testable import Transformer

@Suite("Generation")
struct GeneratorTests {
    private let configuration = GPTConfiguration(
        layerCount: 2,
        headCount: 2,
        embeddingSize: 16,
        blockSize: 24,
        vocabularySize: 29,
        bias: true
    )

    private func generate(_ model: GPT, _ prompt: [Int32], _ options: SamplingOptions, sample: Int = 0) -> [Int32] {
        var tokens: [Int32] = []
        Generator(model: model).generate(prompt: prompt, options: options, sample: sample) {
            tokens.append($0)
            return true
        }
        return tokens
    }

    @Test("logits from cached keys and values agree with those of a full pass", arguments: [1, 2, 5, 24])
    func cachedLogits(piece: Int) {
        let model = testModel(configuration)
        let tokens = testTokens(24, below: 29)
        let whole = model.logits(tokens: tokens)
        let generator = Generator(model: model)
        for start in stride(from: 0, to: 24, by: piece) {
            let end = min(24, start + piece)
            let logits = generator.append(Array(tokens[start..<end]))
            let expected = whole[(end - 1) * 29..<end * 29]
            for (cached, direct) in zip(logits, expected) { #expect(abs(cached - direct) < 1e-4) }
        }
    }

    @Test("greedy decoding takes the likeliest token, with and without the cache")
    func greedy() {
        let model = testModel(configuration)
        let options = SamplingOptions(temperature: 0, maxNewTokens: 20, allowedVocabulary: 29)
        let generated = generate(model, [1, 2, 3], options)
        var tokens: [Int32] = [1, 2, 3]
        for token in generated {
            let last = model.logits(tokens: tokens).suffix(29)
            let best = last.enumerated().max { $0.element < $1.element }!.offset
            #expect(Int(token) == best)
            tokens.append(token)
        }
        #expect(generated.count == 20)
    }

    @Test("text longer than the block size continues in a window with its last half")
    func sliding() {
        let model = testModel(configuration)
        let options = SamplingOptions(temperature: 0, maxNewTokens: 60, allowedVocabulary: 29)
        let prompt = testTokens(40, below: 29)
        let generated = generate(model, prompt, options)
        #expect(generated.count == 60)
        // The first token sees the last 24 tokens of the prompt; then the window restarts with 12.
        #expect(generated[0] == generate(model, Array(prompt.suffix(24)), options)[0])
        let window = Array((prompt + generated.prefix(1)).suffix(12))
        #expect(generated[1] == generate(model, window, options)[0])
    }

    @Test("the same seed gives the same text, and another seed or sample gives another text")
    func seeds() {
        let model = testModel(configuration)
        var options = SamplingOptions(temperature: 1, topK: nil, seed: 5, maxNewTokens: 40, allowedVocabulary: 29)
        let first = generate(model, [4], options)
        #expect(generate(model, [4], options) == first)
        #expect(generate(model, [4], options, sample: 1) != first)
        options.seed = 6
        #expect(generate(model, [4], options) != first)
    }

    @Test("ids outside the tokenizer's vocabulary are never drawn")
    func paddedVocabulary() {
        let model = testModel(configuration)
        // Make the padding ids as likely as possible.
        let padding = model.layout.tokenEmbedding.lowerBound + 20 * 16..<model.layout.tokenEmbedding.upperBound
        for index in padding { model.parameters.base[index] *= 50 }
        for temperature in [0, 1.5] {
            let options = SamplingOptions(
                temperature: temperature,
                topK: nil,
                maxNewTokens: 200,
                allowedVocabulary: 20
            )
            #expect(generate(model, [4], options).allSatisfy { $0 < 20 })
        }
    }

    @Test("the end-of-text token ends the text and is not passed on")
    func stopToken() {
        let model = testModel(configuration)
        var options = SamplingOptions(temperature: 1, topK: nil, maxNewTokens: 300, allowedVocabulary: 29)
        let unstopped = generate(model, [4], options)
        options.stopToken = unstopped[10]
        let stopped = generate(model, [4], options)
        #expect(stopped == Array(unstopped.prefix { $0 != unstopped[10] }))
    }

    @Test("draws follow softmax(logits / temperature)")
    func distribution() {
        let logits: [Float] = [0, 1, 2, -1, 0.5]
        func share(_ options: SamplingOptions) -> [Double] {
            let sampler = TokenSampler(options: options, sample: 0)
            var counts = [Double](repeating: 0, count: 5)
            logits.withUnsafeBufferPointer { logits in
                for index in 0..<20_000 { counts[Int(sampler.draw(logits, index: index))] += 1 / 20_000 }
            }
            return counts
        }
        func softmax(_ chosen: [Int], temperature: Double) -> [Double] {
            let weights = (0..<5).map { chosen.contains($0) ? exp(Double(logits[$0]) / temperature) : 0 }
            return weights.map { $0 / weights.reduce(0, +) }
        }
        var options = SamplingOptions(temperature: 1, topK: nil, allowedVocabulary: 5)
        var cases: [(SamplingOptions, [Double])] = [(options, softmax([0, 1, 2, 3, 4], temperature: 1))]
        options.temperature = 0.5
        cases.append((options, softmax([0, 1, 2, 3, 4], temperature: 0.5)))
        options.topK = 2
        cases.append((options, softmax([1, 2], temperature: 0.5)))
        options = SamplingOptions(temperature: 1, topK: nil, topP: 0.7, allowedVocabulary: 5)
        cases.append((options, softmax([1, 2], temperature: 1)))  // 0.57 is below topP, 0.78 reaches it
        options = SamplingOptions(temperature: 1, topK: nil, topP: 0.5, allowedVocabulary: 5)
        cases.append((options, softmax([2], temperature: 1)))
        for (options, expected) in cases {
            for (drawn, exact) in zip(share(options), expected) { #expect(abs(drawn - exact) < 0.02) }
        }
    }

    @Test("the bits do not depend on the number of threads", arguments: [1, 5, 24, 90])
    func threads(prompt: Int) {
        // The model is wide enough to split phases, and the longest prompt is long enough to be split too.
        let configuration = GPTConfiguration(
            layerCount: 2,
            headCount: 3,
            embeddingSize: 240,
            blockSize: 100,
            vocabularySize: 1031
        )
        func bits(_ threads: Int) -> [UInt32] {
            let model = testModel(configuration, threads: threads, deviation: 0.02)
            let generator = Generator(model: model)
            var logits = generator.append(testTokens(prompt, below: 1031))
            var bits: [UInt32] = []
            for token: Int32 in [3, 700, 41] {
                bits += logits.map(\.bitPattern)
                logits = generator.append([token])
            }
            return bits
        }
        let one = bits(1)
        #expect(bits(2) == one)
        #expect(bits(3) == one)
    }

    @Test("a long prompt's last logits agree with those of a full pass, with and without earlier positions")
    func longPrompt() {
        let configuration = GPTConfiguration(
            layerCount: 3,
            headCount: 2,
            embeddingSize: 32,
            blockSize: 200,
            vocabularySize: 61,
            bias: true
        )
        let model = testModel(configuration)
        let tokens = testTokens(200, below: 61)
        let whole = model.logits(tokens: tokens)
        for first in [200, 150, 3] {
            let generator = Generator(model: model)
            var logits = generator.append(Array(tokens[..<first]))
            if first < 200 { logits = generator.append(Array(tokens[first...])) }
            for (cached, direct) in zip(logits, whole.suffix(61)) { #expect(abs(cached - direct) < 1e-3) }
        }
    }

    @Test("samples generated at once equal samples generated alone, also past the block size and after some have ended")
    func samplesAtOnce() {
        let model = testModel(configuration)
        var options = SamplingOptions(temperature: 1, topK: 20, seed: 5, maxNewTokens: 50, allowedVocabulary: 29)
        options.stopToken = generate(model, [4, 9], options, sample: 3)[30]
        var together = [[Int32]](repeating: [], count: 5)
        Generator(model: model).generate(prompt: [4, 9], options: options, samples: 2..<7) { sample, token in
            together[sample - 2].append(token)
            return true
        }
        for sample in 2..<7 {
            #expect(together[sample - 2] == generate(model, [4, 9], options, sample: sample), "sample \(sample)")
        }
        #expect(Set(together.map(\.count)).count > 1, "no sample ended early")
    }

    @Test(
        "the likeliest tokens agree with a full sort, with ties by the smaller id",
        arguments: [1, 2, 7, 200, 999, 1000]
    )
    func likeliest(count: Int) {
        let random = CounterRandom(seed: 2, stream: .test)
        // Few distinct values, so that many are equal; 0 and -0 are equal too.
        var logits = (0..<1000).map { Float(random.integer(UInt32($0), below: 41) - 20) / 4 }
        logits[500] = -0.0
        let sorted = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
        logits.withUnsafeBufferPointer {
            #expect(LikeliestTokens.first(count, of: $0[...]) == Array(sorted.prefix(count)))
        }
    }
}
