import Compute
import ReferenceGPT
import TestSupport
import Testing

@testable import Transformer

/// Compares the model and the reference model with values that PyTorch computed from the same parameters and tokens.
///
/// The golden values are accurate to 6e-8. The model's tolerance is that of float32 (1e-4; the largest difference seen
/// is 4e-7). The reference model's tolerance allows for the rounding of the golden values.
@Suite("Parity with PyTorch")
struct PyTorchParityTests {
    @Test("logits and loss agree with PyTorch", arguments: PyTorchGoldens.kinds)
    func forward(kind: String) throws {
        let golden = try PyTorchGoldens.Batch(kind)
        let expected = try #require(PyTorchGoldens.tensors(kind)["logits"])
        let model = try makeModel(golden.configuration, PyTorchGoldens.parameters(kind))
        let (T, V) = (golden.sequence_length, golden.configuration.vocab_size)
        for start in stride(from: 0, to: golden.tokens.count, by: T) {
            let logits = model.logits(tokens: golden.tokens[start..<start + T].map(Int32.init))
            let error = relativeError(logits.map(Double.init), expected[start * V..<(start + T) * V].map(Double.init))
            #expect(error < 1e-4, "sequence \(start / T)")
        }
        let sum = model.loss(
            tokens: golden.tokens.map(Int32.init),
            targets: golden.targets.map(Int32.init),
            sequenceLength: T
        )
        #expect(abs(sum / Double(golden.tokens.count) - golden.loss) < 1e-4)
    }

    @Test("the gradient of every parameter agrees with PyTorch", arguments: PyTorchGoldens.kinds)
    func backward(kind: String) throws {
        let golden = try PyTorchGoldens.Batch(kind)
        let expected = try PyTorchGoldens.tensors(kind)
        let model = try makeModel(golden.configuration, PyTorchGoldens.parameters(kind))
        let sum = model.forwardBackward(
            tokens: golden.tokens.map(Int32.init),
            targets: golden.targets.map(Int32.init),
            sequenceLength: golden.sequence_length,
            gradientScale: 1 / Float(golden.tokens.count),
            dropout: nil
        )
        #expect(abs(sum / Double(golden.tokens.count) - golden.loss) < 1e-4)
        #expect(Set(model.layout.tensors.map(\.name)) == Set(expected.keys).subtracting(["logits"]))
        let gradients = model.gradients.elements.map(Double.init)
        for tensor in model.layout.tensors {
            try expectGradient(Array(gradients[tensor.range]), expected, tensor.name, tolerance: 1e-4)
        }
    }

    @Test("the reference model's loss and gradients agree with PyTorch", arguments: PyTorchGoldens.kinds)
    func reference(kind: String) throws {
        let golden = try PyTorchGoldens.Batch(kind)
        let expected = try PyTorchGoldens.tensors(kind)
        let model = try makeReference(golden.configuration, PyTorchGoldens.parameters(kind))
        let logits = model.forward(tokens: golden.tokens, T: golden.sequence_length).logits
        #expect(try relativeError(logits, #require(expected["logits"]).map(Double.init)) < 1e-6)
        let result = model.lossAndGradients(tokens: golden.tokens, targets: golden.targets, T: golden.sequence_length)
        #expect(abs(result.loss - golden.loss) < 1e-12)
        for (name, range) in model.tensors {
            try expectGradient(Array(result.gradients[range]), expected, name, tolerance: 1e-6)
        }
    }

    @Test("20 training steps of the reference model agree with PyTorch", arguments: PyTorchGoldens.trainingKinds)
    func referenceTraining(kind: String) throws {
        let golden = try PyTorchGoldens.Training(kind)
        let options = golden.options
        var model = try makeReference(golden.configuration, PyTorchGoldens.parameters(kind))
        let data = try PyTorchGoldens.trainingTokens().map(Int.init)
        let tokensAStep = options.gradient_accumulation_steps * options.batch_size * options.block_size
        for step in 0..<options.max_iters {
            // Micro-batches have equal sizes, so their mean gradient is the mean over all tokens of the step.
            let positions = step * tokensAStep..<(step + 1) * tokensAStep
            let result = model.lossAndGradients(
                tokens: positions.map { data[$0 % data.count] },
                targets: positions.map { data[($0 + 1) % data.count] },
                T: options.block_size
            )
            let norm = result.gradients.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(abs(result.loss - golden.losses[step]) < 1e-9, "step \(step)")
            #expect(abs(norm - golden.gradient_norms[step]) < 1e-9, "step \(step)")
            let scale = min(1, options.grad_clip / (norm + 1e-6))
            model.adamWStep(
                gradients: result.gradients.map { $0 * scale },
                step: step + 1,
                rate: golden.learningRate(step),
                decay: options.weight_decay,
                beta: (options.beta1, options.beta2)
            )
        }
        let expected = try PyTorchGoldens.tensors("training_\(kind)")
        for (name, range) in model.tensors {
            let error = try relativeError(Array(model.parameters[range]), #require(expected[name]).map(Double.init))
            #expect(error < 1e-6, "\(name)")
        }
    }

    /// Compares a gradient. The key third of c_attn's bias adds the same amount to all scores of a row, so its exact
    /// gradient is zero; there the absolute value must be within the tolerance.
    private func expectGradient(
        _ actual: [Double],
        _ expected: [String: [Float]],
        _ name: String,
        tolerance: Double
    ) throws {
        let expected = try #require(expected[name]).map(Double.init)
        guard name.hasSuffix("c_attn.bias") else {
            #expect(relativeError(actual, expected) < tolerance, "\(name)")
            return
        }
        let key = actual.count / 3..<actual.count / 3 * 2
        let (start, end) = (key.lowerBound, key.upperBound)
        #expect(relativeError(Array(actual[..<start]), Array(expected[..<start])) < tolerance, "query part of \(name)")
        #expect(relativeError(Array(actual[end...]), Array(expected[end...])) < tolerance, "value part of \(name)")
        #expect(actual[key].allSatisfy { abs($0) < tolerance }, "key part of \(name)")
    }

    private func makeModel(_ configuration: PyTorchGoldens.Configuration, _ parameters: [String: [Float]]) throws -> GPT
    {
        let model = GPT(
            configuration: GPTConfiguration(
                layerCount: configuration.n_layer,
                headCount: configuration.n_head,
                embeddingSize: configuration.n_embd,
                blockSize: configuration.block_size,
                vocabularySize: configuration.vocab_size,
                bias: configuration.bias,
                activation: try #require(Activation(rawValue: configuration.activation))
            ),
            context: ComputeContext(pool: WorkerPool(threadCount: 2))
        )
        for tensor in model.layout.tensors {
            let values = try #require(parameters[tensor.name], "\(tensor.name)")
            try #require(values.count == tensor.range.count, "\(tensor.name)")
            for (i, value) in zip(tensor.range, values) { model.parameters.elements[i] = value }
        }
        return model
    }

    private func makeReference(
        _ golden: PyTorchGoldens.Configuration,
        _ parameters: [String: [Float]]
    ) throws -> ReferenceGPT {
        var configuration = ReferenceConfiguration()
        configuration.layerCount = golden.n_layer
        configuration.headCount = golden.n_head
        configuration.embeddingSize = golden.n_embd
        configuration.blockSize = golden.block_size
        configuration.vocabularySize = golden.vocab_size
        configuration.bias = golden.bias
        configuration.activation = try #require(ReferenceActivation(rawValue: golden.activation))
        var model = ReferenceGPT(configuration)
        model.parameters = try model.tensors.flatMap { try #require(parameters[$0.name]).map(Double.init) }
        return model
    }
}
