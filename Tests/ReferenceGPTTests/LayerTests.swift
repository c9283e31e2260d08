import ReferenceGPT
import Testing

private typealias L = ReferenceLayers

/// Compares each backward pass with central differences of the forward pass, using the scalar Σ dy * y for a random dy.
@Suite("Reference layers")
struct LayerTests {
    // Central differences have an error of about 1e-9 here; a wrong term gives an error that is orders of magnitude
    // larger.
    private let tolerance = 1e-7

    private func expectClose(_ actual: [Double], _ expected: [Double], _ what: Comment, location: SourceLocation) {
        #expect(actual.count == expected.count, what, sourceLocation: location)
        guard actual.count == expected.count else { return }
        let error = distance(actual, expected)
        #expect(error <= tolerance * max(1, norm(expected)), what, sourceLocation: location)
    }

    private func expectGradient(
        of x: [Double],
        is actual: [Double],
        _ what: Comment,
        location: SourceLocation = #_sourceLocation,
        _ scalar: ([Double]) -> Double
    ) {
        expectClose(actual, finiteDifferences(x, scalar), what, location: location)
    }

    @Test("slope is the derivative of value", arguments: ReferenceActivation.allCases)
    func slopes(activation: ReferenceActivation) {
        for u in stride(from: -6.05, through: 6.05, by: 0.1) {
            let difference = (activation.value(u + 1e-5) - activation.value(u - 1e-5)) / 2e-5
            #expect(abs(activation.slope(u) - difference) < 1e-9, "at \(u)")
        }
    }

    @Test("activation functions give their published values")
    func activationValues() {
        // The exact values are u * Φ(u) with Φ from tables of the normal distribution; the value of the tanh form was
        // computed with 30 digits.
        #expect(abs(ReferenceActivation.gelu.value(1) - 0.841_344_746_068_542_9) < 1e-15)
        #expect(abs(ReferenceActivation.gelu.value(-2) + 0.045_500_263_896_358_4) < 1e-15)
        #expect(abs(ReferenceActivation.gelu_tanh.value(1) - 0.841_191_990_608_276_8) < 1e-12)
        #expect(ReferenceActivation.relu.value(-3) == 0)
        #expect(ReferenceActivation.relu.value(3) == 3)
        for activation in ReferenceActivation.allCases { #expect(activation.value(0) == 0) }
    }

    @Test("LayerNorm gives every row mean 0 and variance 1")
    func layerNormStatistics() {
        var numbers = TestNumbers(seed: 2)
        let (rows, width) = (6, 16)
        // The rows have very different offsets and scales.
        let x = (0..<rows).flatMap { row in
            numbers.values(width, scale: Double(1 << row)).map { $0 + Double(10 * row) }
        }
        let y = L.layerNorm(x, ([Double](repeating: 1, count: width), nil))
        for row in 0..<rows {
            let values = y[row * width..<(row + 1) * width]
            let mean = values.reduce(0, +) / Double(width)
            let variance = values.reduce(0) { $0 + $1 * $1 } / Double(width) - mean * mean
            #expect(abs(mean) < 1e-12, "row \(row)")
            // The 1e-5 under the root makes the variance slightly smaller than 1.
            #expect(abs(variance - 1) < 1e-4, "row \(row)")
        }
    }

    @Test("the backward pass of LayerNorm is the derivative of its forward pass", arguments: [false, true])
    func layerNormGradients(bias: Bool) throws {
        var numbers = TestNumbers(seed: 3)
        let x = numbers.values(3 * 5)
        let p: Affine = (numbers.values(5), bias ? numbers.values(5) : nil)
        let dy = numbers.values(3 * 5)
        let (dx, dp) = L.layerNormBackward(dy: dy, x: x, p)
        expectGradient(of: x, is: dx, "input") { dot(dy, L.layerNorm($0, p)) }
        expectGradient(of: p.weight, is: dp.weight, "weight") { dot(dy, L.layerNorm(x, ($0, p.bias))) }
        #expect((dp.bias != nil) == bias)
        if bias {
            let (value, gradient) = try (#require(p.bias), #require(dp.bias))
            expectGradient(of: value, is: gradient, "bias") { dot(dy, L.layerNorm(x, (p.weight, $0))) }
        }
    }

    @Test("the backward pass of a linear layer is the derivative of its forward pass", arguments: [false, true])
    func linearGradients(bias: Bool) throws {
        var numbers = TestNumbers(seed: 4)
        let x = numbers.values(4 * 3)
        let p: Affine = (numbers.values(3 * 5), bias ? numbers.values(5) : nil)
        let dy = numbers.values(4 * 5)
        let (dx, dp) = L.linearBackward(dy: dy, x: x, p, I: 3)
        expectGradient(of: x, is: dx, "input") { dot(dy, L.linear($0, p, I: 3)) }
        expectGradient(of: p.weight, is: dp.weight, "weight") { dot(dy, L.linear(x, ($0, p.bias), I: 3)) }
        #expect((dp.bias != nil) == bias)
        if bias {
            let (value, gradient) = try (#require(p.bias), #require(dp.bias))
            expectGradient(of: value, is: gradient, "bias") { dot(dy, L.linear(x, (p.weight, $0), I: 3)) }
        }
    }

    @Test("the weight of a linear layer has the shape (in, out)")
    func linearLayout() {
        let p: Affine = ([1, 2, 3, 10, 20, 30], [0.5, 0, 0])  // two inputs, three outputs
        #expect(L.linear([1, 1], p, I: 2) == [11.5, 22, 33])
        #expect(L.linear([0, 1], p, I: 2) == [10.5, 20, 30])
    }

    @Test("the backward pass of attention is the derivative of its forward pass", arguments: [1, 2, 3])
    func attentionGradients(headCount: Int) {
        var numbers = TestNumbers(seed: 5)
        let (B, T, C) = (2, 4, 6)
        let qkv = numbers.values(B * T * 3 * C)
        let dy = numbers.values(B * T * C)
        let (_, weights) = L.attention(qkv, T: T, H: headCount, C: C)
        let dqkv = L.attentionBackward(dy: dy, qkv: qkv, weights: weights, T: T, H: headCount, C: C)
        expectGradient(of: qkv, is: dqkv, "qkv") { dot(dy, L.attention($0, T: T, H: headCount, C: C).y) }
    }

    @Test("attention weights are probabilities over the tokens up to the current one")
    func attentionWeights() {
        var numbers = TestNumbers(seed: 6)
        let (B, T, H, C) = (2, 5, 2, 4)
        let (y, weights) = L.attention(numbers.values(B * T * 3 * C, scale: 3), T: T, H: H, C: C)
        #expect(y.count == B * T * C)
        #expect(weights.count == B * H * T * T)
        for row in 0..<B * H * T {
            let t = row % T
            let values = weights[row * T..<(row + 1) * T]
            #expect(abs(values.reduce(0, +) - 1) < 1e-14)
            #expect(values.prefix(t + 1).allSatisfy { $0 > 0 })
            #expect(values.dropFirst(t + 1).allSatisfy { $0 == 0 })
        }
    }

    @Test("dlogits is the derivative of the loss")
    func crossEntropyGradients() {
        var numbers = TestNumbers(seed: 7)
        let logits = numbers.values(3 * 5, scale: 2)
        let targets = [4, 0, 2]
        let (_, dlogits) = L.crossEntropy(logits: logits, targets: targets)
        expectGradient(of: logits, is: dlogits, "logits") { L.crossEntropy(logits: $0, targets: targets).loss }
    }

    @Test("equal logits give the loss log V for any target, and huge logits do not overflow")
    func crossEntropyValues() {
        let uniform = L.crossEntropy(logits: [Double](repeating: 800, count: 2 * 65), targets: [0, 64])
        #expect(abs(uniform.loss - 4.174_387_269_895_637) < 1e-12)
        #expect(L.crossEntropy(logits: [1000, 0], targets: [0]).loss == 0)
    }

    @Test("the derivative of a repeated token's embedding is the sum over its uses")
    func embeddingGradients() {
        var numbers = TestNumbers(seed: 8)
        let (T, C, V, N) = (3, 2, 4, 5)
        let tokens = [1, 3, 1, 0, 1, 3]  // two sequences
        let (wte, wpe, dy) = (numbers.values(V * C), numbers.values(N * C), numbers.values(tokens.count * C))
        let (dwte, dwpe) = L.embeddingBackward(dx: dy, tokens: tokens, T: T, C: C, V: V, blockSize: N)
        expectGradient(of: wte, is: dwte, "wte") {
            dot(dy, L.embedding(tokens: tokens, wte: $0, wpe: wpe, T: T, C: C))
        }
        expectGradient(of: wpe, is: dwpe, "wpe") {
            dot(dy, L.embedding(tokens: tokens, wte: wte, wpe: $0, T: T, C: C))
        }
        #expect(dwte[2 * C..<3 * C].allSatisfy { $0 == 0 }, "token 2 does not occur")
        #expect(dwpe[T * C..<N * C].allSatisfy { $0 == 0 }, "positions past the sequence are unused")
    }
}
