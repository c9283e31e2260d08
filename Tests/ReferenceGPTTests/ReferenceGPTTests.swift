import ReferenceGPT
import Testing

@Suite("Reference model")
struct ReferenceGPTTests {
    @Test("every parameter's gradient agrees with finite differences", arguments: ModelKind.all)
    func gradients(kind: ModelKind) {
        let model = kind.model()
        var numbers = TestNumbers(seed: 11)
        let T = 4  // shorter than the block size
        let tokens = numbers.tokens(2 * T, vocabularySize: model.configuration.vocabularySize)
        let targets = numbers.tokens(2 * T, vocabularySize: model.configuration.vocabularySize)
        let gradients = model.lossAndGradients(tokens: tokens, targets: targets, T: T).gradients
        let expected = finiteDifferences(model.parameters) { parameters in
            var moved = model
            moved.parameters = parameters
            let logits = moved.forward(tokens: tokens, T: T).logits
            return ReferenceLayers.crossEntropy(logits: logits, targets: targets).loss
        }
        #expect(gradients.count == model.parameters.count)
        for (name, range) in model.tensors {
            let error = distance(Array(gradients[range]), Array(expected[range]))
            // The key third of c_attn's bias changes all scores of a row by the same amount, so its gradient is 0.
            // Hence the maximum with 1.
            #expect(error <= 1e-8 * max(1, norm(Array(expected[range]))), "\(name)")
            #expect(norm(Array(expected[range])) > 1e-6, "\(name) gets no gradient")
        }
    }

    @Test("a later token does not change an earlier logit", arguments: ModelKind.all)
    func causality(kind: ModelKind) {
        let model = kind.model()
        let (T, V) = (5, model.configuration.vocabularySize)
        let tokens = [3, 1, 4, 1, 5]
        let logits = model.forward(tokens: tokens, T: T).logits
        for changed in 0..<T {
            var others = tokens
            others[changed] = (tokens[changed] + 1) % V
            let otherLogits = model.forward(tokens: others, T: T).logits
            #expect(Array(logits[..<(changed * V)]) == Array(otherLogits[..<(changed * V)]), "token \(changed)")
            for t in changed..<T {
                #expect(
                    logits[t * V..<(t + 1) * V] != otherLogits[t * V..<(t + 1) * V],
                    "token \(changed) does not reach position \(t)"
                )
            }
        }
    }

    @Test("the sequences of a batch are independent")
    func batches() {
        let model = ModelKind(activation: .gelu, bias: true).model()
        let (first, second) = ([1, 2, 3], [6, 5, 4])
        let both = model.forward(tokens: first + second, T: 3).logits
        let apart = model.forward(tokens: first, T: 3).logits + model.forward(tokens: second, T: 3).logits
        #expect(both == apart)
    }

    @Test("the head uses the token embedding, so a token that is never an input still gets a gradient")
    func weightTying() {
        let model = ModelKind(activation: .gelu, bias: false).model()
        let (C, V) = (model.configuration.embeddingSize, model.configuration.vocabularySize)
        let result = model.forward(tokens: [0, 1], T: 2)
        for row in 0..<2 {
            for v in 0..<V {
                let logit = dot(
                    Array(result.normalized[row * C..<(row + 1) * C]),
                    Array(model.parameters[v * C..<(v + 1) * C])
                )
                #expect(abs(logit - result.logits[row * V + v]) < 1e-14)
            }
        }
        let gradients = model.lossAndGradients(tokens: [0, 1], targets: [1, 0], T: 2).gradients
        #expect(norm(Array(gradients[(V - 1) * C..<V * C])) > 1e-6)
    }

    @Test("AdamW gives the results of a calculation by hand")
    func adamW() throws {
        var model = ModelKind(activation: .gelu, bias: true).model()
        let matrix = try #require(model.tensors.first { $0.name == "transformer.h.0.attn.c_proj.weight" }).range
            .lowerBound
        let vector = try #require(model.tensors.first { $0.name == "transformer.h.0.attn.c_proj.bias" }).range
            .lowerBound
        let scale = try #require(model.tensors.first { $0.name == "transformer.ln_f.weight" }).range.lowerBound
        for i in [matrix, vector, scale] { model.parameters[i] = 2 }
        var gradients = model.parameters.map { _ in 0.0 }

        for i in [matrix, vector, scale] { gradients[i] = 0.5 }
        model.adamWStep(gradients: gradients, step: 1, rate: 0.1, decay: 0.1, beta: (0.9, 0.99))
        // The first step has the length of the rate: 2 - 0.1 * 0.5 / 0.5. The matrix also loses 0.1 * 0.1 * 2.
        #expect(abs(model.parameters[matrix] - 1.88) < 1e-8)
        #expect(abs(model.parameters[vector] - 1.9) < 1e-8)
        #expect(abs(model.parameters[scale] - 1.9) < 1e-8)

        for i in [matrix, vector, scale] { gradients[i] = -1 }
        model.adamWStep(gradients: gradients, step: 2, rate: 0.1, decay: 0.1, beta: (0.9, 0.99))
        // m = 0.9 * 0.05 - 0.1 = -0.055, m̂ = -0.055 / 0.19; v = 0.99 * 0.0025 + 0.01 = 0.012475, v̂ = 0.012475 / 0.0199.
        let step = 0.1 * (0.055 / 0.19) / (0.012475 / 0.0199).squareRoot()
        #expect(abs(model.parameters[matrix] - (1.88 * 0.99 + step)) < 1e-8)
        #expect(abs(model.parameters[vector] - (1.9 + step)) < 1e-8)
        #expect(abs(model.parameters[scale] - (1.9 + step)) < 1e-8)
    }

    @Test("100 training steps reduce the training loss to less than a twentieth", arguments: ModelKind.all)
    func learning(kind: ModelKind) {
        var model = kind.model()
        model.parameters = model.parameters.map { $0 * 0.3 }
        let (tokens, targets) = ([1, 2, 3, 4], [2, 3, 4, 5])
        let before = model.lossAndGradients(tokens: tokens, targets: targets, T: 4).loss
        for step in 1...100 {
            let gradients = model.lossAndGradients(tokens: tokens, targets: targets, T: 4).gradients
            model.adamWStep(gradients: gradients, step: step, rate: 0.03, decay: 0, beta: (0.9, 0.95))
        }
        let after = model.lossAndGradients(tokens: tokens, targets: targets, T: 4).loss
        #expect(after < before / 20, "from \(before) to \(after)")
    }
}
