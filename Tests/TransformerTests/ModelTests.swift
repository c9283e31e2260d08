import Compute
import Testing

@testable import Transformer

@Suite("The model and its parts")
struct ModelTests {
    private let configuration = GPTConfiguration(
        layerCount: 3,
        headCount: 4,
        embeddingSize: 32,
        blockSize: 80,
        vocabularySize: 23,
        bias: true
    )

    @Test("GPT-2 small has 124,439,808 parameters, and nanoGPT's default has 123,653,376 without position embeddings")
    func parameterCounts() {
        let gpt2 = GPTConfiguration(
            layerCount: 12,
            headCount: 12,
            embeddingSize: 768,
            blockSize: 1024,
            vocabularySize: 50257,
            bias: true
        )
        #expect(ParameterLayout(gpt2).count == 124_439_808)
        let nano = GPTConfiguration(
            layerCount: 12,
            headCount: 12,
            embeddingSize: 768,
            blockSize: 1024,
            vocabularySize: 50304
        )
        #expect(ParameterLayout(nano).count - 1024 * 768 == 123_587_328)
    }

    @Test("tensors cover the flat buffer in order, without gaps or overlaps", arguments: [true, false])
    func layout(bias: Bool) {
        var configuration = configuration
        configuration.bias = bias
        let layout = ParameterLayout(configuration)
        var end = 0
        for tensor in layout.tensors {
            #expect(tensor.range.lowerBound == end)
            #expect(tensor.range.count == tensor.shape.reduce(1, *))
            end = tensor.range.upperBound
        }
        #expect(end == layout.count)
        #expect(Set(layout.tensors.map(\.name)).count == layout.tensors.count)
        #expect(layout.tensors.contains { $0.name.hasSuffix(".bias") } == bias)
    }

    @Test("initial values have deviation 0.02, smaller for residual projections; LayerNorm weights are 1 and biases 0")
    func initialization() {
        let model = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: 2)))
        model.initializeParameters(seed: 1)
        for tensor in model.layout.tensors {
            let values = model.parameters.elements[tensor.range].map(Double.init)
            if tensor.decays {
                let expected = tensor.name.hasSuffix("c_proj.weight") ? 0.02 / 6.0.squareRoot() : 0.02
                let deviation = norm(values) / Double(values.count).squareRoot()
                #expect(abs(deviation / expected - 1) < 0.1, "\(tensor.name): \(deviation)")
            } else {
                #expect(values.allSatisfy { $0 == (tensor.name.hasSuffix("weight") ? 1 : 0) }, "\(tensor.name)")
            }
        }
        let other = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: 3)))
        other.initializeParameters(seed: 1)
        #expect(Array(other.parameters.elements) == Array(model.parameters.elements))
        other.initializeParameters(seed: 2)
        #expect(Array(other.parameters.elements) != Array(model.parameters.elements))
    }

    @Test("an untrained model's loss is close to that of a uniform guess")
    func initialLoss() {
        let model = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: 2)))
        model.initializeParameters(seed: 1)
        let tokens = testTokens(160, below: 23, item: 1)
        let loss = model.loss(tokens: tokens, targets: testTokens(160, below: 23, item: 2), sequenceLength: 80)
        #expect(abs(loss / 160 - 3.1355) < 0.05)  // ln 23
    }

    @Test("a later token does not change an earlier logit", arguments: [1, 63, 64, 79])
    func causality(changed: Int) {
        let model = testModel(configuration)
        var tokens = testTokens(80, below: 23)
        let before = model.logits(tokens: tokens)
        tokens[changed] = (tokens[changed] + 1) % 23
        let after = model.logits(tokens: tokens)
        #expect(before[..<(changed * 23)] == after[..<(changed * 23)])
        #expect(before[(changed * 23)...] != after[(changed * 23)...])
        // A shorter sequence gives the same logits.
        let prefix = model.logits(tokens: Array(tokens[..<changed]))
        for (short, long) in zip(prefix, after) { #expect(abs(short - long) < 1e-4) }
    }

    @Test("every parameter receives a gradient")
    func gradientFlow() {
        let model = testModel(configuration)
        let tokens = testTokens(80 * 3, below: 23)
        _ = model.forwardBackward(
            tokens: tokens,
            targets: tokens.reversed(),
            sequenceLength: 80,
            gradientScale: 1,
            dropout: nil
        )
        for tensor in model.layout.tensors {
            let zeros = model.gradients.elements[tensor.range].filter { $0 == 0 }.count
            #expect(zeros == 0, "\(tensor.name): \(zeros) of \(tensor.range.count) are zero")
        }
    }

    @Test("the token embedding's gradient includes its use as the output head")
    func weightTying() {
        let model = testModel(configuration)
        // Token 5 is never an input, so all of its gradient comes from the head.
        let tokens = testTokens(80, below: 23).map { $0 == 5 ? 6 : $0 }
        _ = model.forwardBackward(
            tokens: tokens,
            targets: tokens,
            sequenceLength: 80,
            gradientScale: 1,
            dropout: nil
        )
        let row = model.layout.tokenEmbedding.lowerBound + 5 * 32
        #expect(model.gradients.elements[row..<row + 32].contains { $0 != 0 })
        let before = model.logits(tokens: tokens)
        for index in row..<row + 32 { model.parameters.base[index] += 1 }
        let after = model.logits(tokens: tokens)
        for position in 0..<80 {
            for token in 0..<23 {
                let index = position * 23 + token
                #expect((before[index] != after[index]) == (token == 5))
            }
        }
    }

    @Test("the position embedding distinguishes equal tokens")
    func positions() {
        let model = testModel(configuration)
        let logits = model.logits(tokens: [3, 3, 3])
        #expect(Array(logits[0..<23]) != Array(logits[23..<46]))
        for index in model.layout.positionEmbedding { model.parameters.base[index] = 0 }
        let without = model.logits(tokens: [3, 3, 3])
        for token in 0..<23 { #expect(abs(without[token] - without[23 + token]) < 1e-5) }
    }

    @Test("each head's attention weights sum to 1 per row and are 0 above the diagonal")
    func attentionWeights() {
        let model = testModel(configuration)
        let weights = model.attentionWeights(tokens: testTokens(70, below: 23))
        #expect(weights.count == 3 && weights.allSatisfy { $0.count == 4 })
        for head in weights.joined() {
            #expect(head.count == 70 * 70)
            for row in 0..<70 {
                let part = head[row * 70..<(row + 1) * 70]
                #expect(abs(part.reduce(0, +) - 1) < 1e-5)
                #expect(part.dropFirst(row + 1).allSatisfy { $0 == 0 })
                #expect(part.prefix(row + 1).allSatisfy { $0 > 0 })
            }
        }
    }

    @Test("the memory estimate equals the allocated bytes", arguments: [1, 7, 20], [1, 3])
    func memory(batch: Int, threads: Int) throws {
        for training in [true, false] {
            let model = GPT(
                configuration: configuration,
                context: ComputeContext(pool: WorkerPool(threadCount: threads)),
                forTraining: training
            )
            model.initializeParameters(seed: 1)
            let tokens = testTokens(batch * 80, below: 23)
            if training {
                _ = model.forwardBackward(
                    tokens: tokens,
                    targets: tokens,
                    sequenceLength: 80,
                    gradientScale: 1,
                    dropout: nil
                )
            } else {
                _ = model.loss(tokens: tokens, targets: tokens, sequenceLength: 80)
            }
            let estimate = GPT.memoryEstimate(
                configuration: configuration,
                batchSize: batch,
                sequenceLength: 80,
                threads: threads,
                training: training
            )
            let arena = try #require(model.arena)
            #expect(estimate.parameters == 4 * model.parameters.count)
            #expect(estimate.gradients == 4 * model.gradients.count)
            #expect(estimate.activations + estimate.logits == 4 * arena.memory.count)
        }
    }

    @Test("the memory estimate covers everything that a chunk keeps, and little more")
    func memorySize() {
        let estimate = GPT.memoryEstimate(configuration: configuration, batchSize: 20, sequenceLength: 80, threads: 2)
        #expect(estimate.parameters == ParameterLayout(configuration).count * 4)
        #expect(estimate.gradients == estimate.parameters)
        let rows = 10 * 80  // 20 sequences of 80 make two chunks
        #expect(GPT.chunkSequences(batch: 20, length: 80) == 10)
        let perRow = 3 * (32 * 10 + 4 + 4) + 32 * (1 + 1 + 1 + 4 + 1 + 5 + 4 + 6 + 2) + 2
        #expect(estimate.activations >= rows * perRow * 4)
        #expect(estimate.activations <= rows * perRow * 4 + 1_000_000)
        let inference = GPT.memoryEstimate(
            configuration: configuration,
            batchSize: 20,
            sequenceLength: 80,
            threads: 2,
            training: false
        )
        #expect(inference.total < estimate.total / 3)
    }
}
