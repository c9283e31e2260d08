import Compute
import ReferenceGPT
import Testing

@testable import Transformer

/// A shape of model and batch. Each one covers a different corner case of the passes.
struct Shape: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var layers = 2
    var heads = 2
    var width = 12
    var block = 16
    var vocabulary = 19
    var bias = true
    var activation = Activation.gelu
    var batch = 2
    var length = 11

    var configuration: GPTConfiguration {
        GPTConfiguration(
            layerCount: layers,
            headCount: heads,
            embeddingSize: width,
            blockSize: block,
            vocabularySize: vocabulary,
            bias: bias,
            activation: activation
        )
    }

    static let all = [
        Shape(testDescription: "gelu with bias"),
        Shape(testDescription: "gelu without bias", bias: false),
        Shape(testDescription: "tanh gelu with bias", activation: .gelu_tanh),
        Shape(testDescription: "tanh gelu without bias", bias: false, activation: .gelu_tanh),
        Shape(testDescription: "relu with bias", activation: .relu),
        Shape(testDescription: "one layer, one head", layers: 1, heads: 1),
        Shape(testDescription: "three layers, heads of one feature", layers: 3, heads: 6, width: 6),
        Shape(testDescription: "width not a multiple of a vector", heads: 5, width: 35, bias: false),
        Shape(testDescription: "one token", block: 4, batch: 1, length: 1),
        Shape(testDescription: "several blocks of queries", heads: 1, width: 4, block: 150, batch: 1, length: 150),
        Shape(testDescription: "a block of queries and one more", heads: 1, width: 4, block: 65, batch: 1, length: 65),
        Shape(
            testDescription: "several chunks, the last one shorter",
            layers: 1,
            heads: 1,
            width: 4,
            block: 100,
            vocabulary: 5,
            batch: 21,
            length: 100
        ),
        Shape(
            testDescription: "several tiles of vocabulary",
            layers: 1,
            width: 4,
            vocabulary: 8200,
            batch: 2,
            length: 16
        ),
        Shape(
            testDescription: "groups of several tiles of vocabulary, and two blocks of rows",
            layers: 1,
            heads: 1,
            width: 4,
            block: 100,
            vocabulary: 17000,
            batch: 10,
            length: 100
        ),
        Shape(testDescription: "vocabulary of one", vocabulary: 1, batch: 1, length: 3),
    ]
}

@Suite("Gradients against the reference model")
struct GradientTests {
    @Test("loss, logits and the gradient of every tensor agree with the reference model", arguments: Shape.all)
    func everyTensor(shape: Shape) {
        let model = testModel(shape.configuration)
        let count = shape.batch * shape.length
        let tokens = testTokens(count, below: shape.vocabulary, item: 1)
        let targets = testTokens(count, below: shape.vocabulary, item: 2)
        let scale = 1 / Float(count)

        // Passes add to existing gradients, so start with other values than 0.
        for index in 0..<model.layout.count { model.gradients.base[index] = 1 }
        let sum = model.forwardBackward(
            tokens: tokens,
            targets: targets,
            sequenceLength: shape.length,
            gradientScale: scale,
            dropout: nil
        )
        let reference = reference(of: model)
        let (loss, gradients) = reference.lossAndGradients(
            tokens: tokens.map(Int.init),
            targets: targets.map(Int.init),
            T: shape.length
        )
        #expect(abs(sum / Double(count) - loss) < 1e-5 * max(1, loss))
        let forwardOnly = model.loss(tokens: tokens, targets: targets, sequenceLength: shape.length)
        #expect(abs(forwardOnly - sum) < 1e-9 * max(1, abs(sum)))

        let whole = norm(gradients)
        for tensor in model.layout.tensors {
            let exact = gradients[tensor.range]
            let difference = zip(exact, model.gradients.elements[tensor.range]).map { $0 - Double($1 - 1) }
            // Adding to 1 loses 6e-8 per element.
            let rounding = 1.2e-7 * Double(exact.count).squareRoot()
            #expect(
                norm(difference) <= 2e-5 * norm(exact) + 1e-6 * whole + rounding,
                "\(tensor.name): \(norm(difference)) of \(norm(exact))"
            )
        }

        let first = Array(tokens.prefix(shape.length))
        let exactLogits = reference.forward(tokens: first.map(Int.init), T: shape.length).logits
        let worst = zip(model.logits(tokens: first), exactLogits).map { abs(Double($0) - $1) }.max()!
        #expect(worst < 2e-5, "logits differ by \(worst)")
    }

    @Test("gradients with dropout agree with finite differences for the same masks", arguments: [0.1, 0.5] as [Float])
    func dropout(probability: Float) {
        var configuration = Shape.all[0].configuration
        configuration.dropout = probability
        let model = testModel(configuration)
        let (tokens, targets) = (testTokens(66, below: 19, item: 1), testTokens(66, below: 19, item: 2))
        let key = DropoutKey(seed: 4, step: 3, firstSequence: 10)
        func loss() -> Double {
            model.forwardBackward(tokens: tokens, targets: targets, sequenceLength: 11, gradientScale: 1, dropout: key)
        }
        _ = loss()
        let gradient = model.gradients.elements.map(Double.init)
        let original = Array(model.parameters.elements)
        // In the direction of one tensor's gradient, the directional derivative is the gradient's norm.
        for tensor in model.layout.tensors where !tensor.name.hasSuffix("c_attn.bias") {
            let length = norm(gradient[tensor.range])
            let step = 4e-3
            func shifted(_ amount: Double) -> Double {
                for index in tensor.range {
                    model.parameters.base[index] = original[index] + Float(amount * gradient[index] / length)
                }
                defer { for index in tensor.range { model.parameters.base[index] = original[index] } }
                return loss()
            }
            let slope = (shifted(step) - shifted(-step)) / (2 * step)
            #expect(abs(slope / length - 1) < 0.01, "\(tensor.name): \(slope) beside \(length)")
        }
    }

    @Test("dropout masks depend on the sequence's index in the step, not on its batch")
    func dropoutBySequence() {
        var configuration = Shape.all[0].configuration
        configuration.dropout = 0.3
        let model = testModel(configuration)
        let (tokens, targets) = (testTokens(33, below: 19, item: 1), testTokens(33, below: 19, item: 2))
        func loss(_ sequences: Range<Int>, step: Int = 1) -> Double {
            let elements = sequences.lowerBound * 11..<sequences.upperBound * 11
            return model.forwardBackward(
                tokens: Array(tokens[elements]),
                targets: Array(targets[elements]),
                sequenceLength: 11,
                gradientScale: 1,
                dropout: DropoutKey(seed: 1, step: step, firstSequence: sequences.lowerBound)
            )
        }
        let together = loss(0..<3)
        #expect(abs(together - (loss(0..<1) + loss(1..<3))) < 1e-4)
        #expect(abs(together - loss(0..<3, step: 2)) > 1e-3)
        #expect(abs(together - model.loss(tokens: tokens, targets: targets, sequenceLength: 11)) > 1e-3)
    }

    struct Threaded: CustomTestStringConvertible {
        let testDescription: String
        var dropout: Float = 0
        var layers = 2
        var heads = 3
        var width = 48
        var vocabulary = 77
        var batch = 13

        static let all = [
            Threaded(testDescription: "two chunks, weights packed for both"),
            Threaded(testDescription: "two chunks with dropout", dropout: 0.2),
            Threaded(testDescription: "one sequence: weights packed from phase to phase, heads in parts", batch: 1),
            Threaded(testDescription: "tiles of weights, the last one of 4 rows", layers: 1, heads: 5, width: 385),
            Threaded(testDescription: "a large vocabulary, in groups of tiles", layers: 1, vocabulary: 17000, batch: 1),
        ]
    }

    @Test("1, 2, 3, 5 and 13 threads give the same bits", arguments: Threaded.all)
    func threads(shape: Threaded) {
        var results: [([Float], [Double])] = []
        for threads in [1, 2, 3, 5, 13] {
            let configuration = GPTConfiguration(
                layerCount: shape.layers,
                headCount: shape.heads,
                embeddingSize: shape.width,
                blockSize: 96,
                vocabularySize: shape.vocabulary,
                dropout: shape.dropout
            )
            let model = testModel(configuration, threads: threads)
            let tokens = testTokens(shape.batch * 96, below: shape.vocabulary)
            let loss = model.forwardBackward(
                tokens: tokens,
                targets: tokens.reversed(),
                sequenceLength: 96,
                gradientScale: 0.01,
                dropout: DropoutKey(seed: 1, step: 1, firstSequence: 0)
            )
            let evaluated = model.loss(tokens: tokens, targets: tokens.reversed(), sequenceLength: 96)
            results.append((Array(model.gradients.elements), [loss, evaluated]))
        }
        for result in results {
            #expect(result.0 == results[0].0)
            #expect(result.1 == results[0].1)
        }
    }
}
