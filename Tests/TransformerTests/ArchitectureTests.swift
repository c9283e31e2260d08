import Compute
import Platform
import Testing

@testable import Transformer

/// Tests of architectures that differ from GPT-2 by their configuration.
@Suite("Architectures by configuration")
struct ArchitectureTests {
    private let length = 9

    private func gpt2(_ change: (inout GPTConfiguration) -> Void = { _ in }) -> GPTConfiguration {
        var configuration = GPTConfiguration(
            layerCount: 2,
            headCount: 4,
            embeddingSize: 16,
            blockSize: 12,
            vocabularySize: 19,
            bias: true
        )
        change(&configuration)
        return configuration
    }

    /// Returns the loss and the gradients of one batch of two sequences.
    private func gradients(_ model: GPT) -> (loss: Double, values: [Float]) {
        model.zeroGradients()
        let tokens = testTokens(2 * length, below: 19, item: 1)
        let targets = testTokens(2 * length, below: 19, item: 2)
        let loss = model.forwardBackward(
            tokens: tokens,
            targets: targets,
            sequenceLength: length,
            gradientScale: 1,
            dropout: nil
        )
        return (loss, Array(model.gradients.elements))
    }

    @Test("grouped-query attention equals multi-head attention in which groups share keys and values")
    func groupedQueries() throws {
        let grouped = testModel(gpt2 { $0.attention.keyValueHeadCount = 2 })
        let whole = testModel(gpt2())
        let (H, G, D) = (4, 2, 4)
        /// Returns the column of qkv in the grouped model for a column of the multi-head model.
        func column(_ whole: Int) -> Int {
            let (head, feature) = (whole / D, whole % D)
            if head < H { return whole }
            let isValue = head >= 2 * H
            return (H + (isValue ? G : 0) + (head - (isValue ? 2 * H : H)) / (H / G)) * D + feature
        }
        for tensor in whole.layout.tensors {
            let source = try #require(grouped.layout.tensor(named: tensor.name))
            let columns = tensor.shape.last!
            let isWider = columns != source.shape.last!
            for index in 0..<tensor.range.count {
                let place = isWider ? index / columns * source.shape.last! + column(index % columns) : index
                whole.parameters.base[tensor.range.lowerBound + index] =
                    grouped.parameters.base[source.range.lowerBound + place]
            }
        }
        let (loss, dGrouped) = gradients(grouped)
        let (exactLoss, dWhole) = gradients(whole)
        #expect(abs(loss - exactLoss) < 1e-6 * exactLoss)
        for tensor in whole.layout.tensors {
            let source = try #require(grouped.layout.tensor(named: tensor.name))
            let columns = tensor.shape.last!
            let isWider = columns != source.shape.last!
            // The gradients of a group's keys and values are the sums over its query heads.
            var sums = [Double](repeating: 0, count: source.range.count)
            for index in 0..<tensor.range.count {
                let place = isWider ? index / columns * source.shape.last! + column(index % columns) : index
                sums[place] += Double(dWhole[tensor.range.lowerBound + index])
            }
            let difference = zip(sums, dGrouped[source.range]).map { $0 - Double($1) }
            // The tolerance allows for float32 sums in a different order.
            #expect(
                norm(difference) <= 1e-5 * norm(sums) + 1e-5,
                "\(tensor.name): \(norm(difference)) of \(norm(sums))"
            )
        }
    }

    static let architectures: [(name: String, configuration: GPTConfiguration)] = {
        let tests = ArchitectureTests()
        return [
            (
                "gated feed-forward",
                tests.gpt2 {
                    $0.feedForward.form = .gated; $0.feedForward.hiddenSize = 24
                }
            ),
            ("heads wider than the stream", tests.gpt2 { $0.attention.headSize = 6 }),
            (
                "the parts of a modern model",
                tests.gpt2 {
                    $0.bias = false
                    $0.attention.keyValueHeadCount = 1
                    $0.attention.headSize = 8
                    $0.attention.positions = .rotary
                    $0.attention.rotaryTheta = 500
                    $0.feedForward = .init(form: .gated, activation: .silu, hiddenSize: 20)
                    $0.norm.kind = .rmsnorm
                    $0.norm.epsilon = 1e-6
                    $0.tiedHead = false
                }
            ),
            (
                "grouped heads, post-norm",
                tests.gpt2 {
                    $0.attention.keyValueHeadCount = 2
                    $0.norm.place = .post
                }
            ),
        ]
    }()

    @Test("the gradient of each tensor is the slope of the loss in a random direction", arguments: 0..<4)
    func slope(index: Int) {
        let (name, configuration) = Self.architectures[index]
        let model = testModel(configuration, deviation: 0.1)
        let (loss, gradient) = gradients(model)
        #expect(loss.isFinite)
        let start = Array(model.parameters.elements)
        for tensor in model.layout.tensors {
            // A random direction also detects elements that are missing from the gradient.
            let random = CounterRandom(seed: 11, stream: .test, item: UInt32(tensor.range.lowerBound))
            let direction = (0..<tensor.range.count).map { random.normalPair(UInt32($0)).0 }
            let length = norm(direction)
            let exact = zip(gradient[tensor.range], direction).reduce(0) { $0 + Double($1.0) * $1.1 / length }
            let size = norm(gradient[tensor.range].map(Double.init))
            func lossAt(_ step: Double) -> Double {
                for (offset, place) in tensor.range.enumerated() {
                    model.parameters.base[place] = start[place] + Float(step * direction[offset] / length)
                }
                defer { for place in tensor.range { model.parameters.base[place] = start[place] } }
                return gradients(model).loss
            }
            let step = 1e-2
            let slope = (lossAt(step) - lossAt(-step)) / (2 * step)
            // The tolerance allows for curvature over the step and for rounding of float32 activations.
            #expect(abs(slope - exact) < 1e-2 * size + 5e-3, "\(name), \(tensor.name): \(slope), not \(exact)")
        }
    }

    @Test("1 and 3 threads give the same bits, and generation gives the logits of a full pass", arguments: 0..<4)
    func threadsAndGeneration(index: Int) {
        let configuration = Self.architectures[index].configuration
        let (one, three) = (testModel(configuration, threads: 1), testModel(configuration, threads: 3))
        #expect(gradients(one).values == gradients(three).values)
        let tokens = testTokens(length, below: 19)
        let whole = one.logits(tokens: tokens)
        let generator = Generator(model: one)
        for piece in [0..<5, 5..<6, 6..<length] {
            let last = Array(generator.append(Array(tokens[piece])))
            let row = (piece.upperBound - 1) * last.count
            let worst = zip(last, whole[row..<row + last.count]).map { abs($0 - $1) }.max()!
            #expect(worst < 1e-4, "logits after \(piece) differ by \(worst)")
        }
    }

    @Test("a layer's declarations determine layout, initialization and weight decay")
    func declarations() throws {
        let configuration = Self.architectures[2].configuration
        let model = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: 1)))
        model.initializeParameters(seed: 3)
        let layout = model.layout
        #expect(layout.tensor(named: "transformer.h.0.attn.c_attn.weight")?.shape == [16, (4 + 2) * 8])
        #expect(layout.tensor(named: "transformer.h.1.attn.c_proj.weight")?.shape == [32, 16])
        #expect(layout.tensor(named: "transformer.h.1.mlp.c_fc.weight")?.shape == [16, 40])
        #expect(layout.tensor(named: "transformer.wpe.weight") == nil)
        #expect(layout.tensor(named: "lm_head.weight")?.role == .head)
        #expect(layout.outputHead.upperBound == layout.count)
        for tensor in layout.tensors {
            #expect(tensor.decays == (tensor.shape.count == 2), "\(tensor.name)")
            let first = model.parameters.base[tensor.range.lowerBound]
            #expect((first == 1) == (tensor.role == .vector), "\(tensor.name)")
        }
    }

    @Test("an invalid configuration reports the conflicting options")
    func conflicts() {
        let wrong: [(String, (inout GPTConfiguration) -> Void)] = [
            ("n_layer", { $0.layerCount = 0 }), ("n_head", { $0.attention.keyValueHeadCount = 3 }),
            ("n_kv_head", { $0.attention.keyValueHeadCount = 0 }), ("head_size", { $0.attention.headSize = 0 }),
            ("hidden_size", { $0.feedForward.hiddenSize = 0 }), ("norm_epsilon", { $0.norm.epsilon = 0 }),
            ("rope_theta", { $0.attention.rotaryTheta = -1 }), ("dropout", { $0.dropout = 1 }),
        ]
        for (name, change) in wrong {
            #expect(gpt2(change).conflict?.names.contains(name) == true, "\(name)")
        }
        #expect(gpt2().conflict == nil)
    }

    @Test("every part of an architecture can be written to files and read back by name", arguments: 0..<4)
    func files(index: Int) {
        let configuration = Self.architectures[index].configuration
        #expect(!configuration.architectureChanges.isEmpty)
        var copy = gpt2()
        (copy.bias, copy.activation) = (configuration.bias, configuration.activation)
        for (name, value) in configuration.variantChanges {
            let isSet = copy.setVariant(name, to: value)
            #expect(isSet, "\(name)=\(value)")
        }
        #expect(copy == configuration)
    }

    @Test("the gated feed-forward's output and gradients follow its formula")
    func gate() {
        let (rows, F) = (3, 21)
        let shape = GPTConfiguration.FeedForward(form: .gated, activation: .silu, hiddenSize: F)
        let random = CounterRandom(seed: 4, stream: .test)
        func numbers(_ count: Int, _ first: Int) -> [Float] {
            (0..<count).map { Float(random.normalPair(UInt32(first + $0)).0) }
        }
        let (inputs, da) = (numbers(rows * 2 * F, 0), numbers(rows * F, 1000))
        let memory = FloatBuffer(count: rows * 5 * F)
        let h = memory.matrix(0..<rows * 2 * F, columns: 2 * F)
        let dh = memory.matrix(rows * 2 * F..<rows * 4 * F, columns: 2 * F)
        let a = memory.matrix(rows * 4 * F..<rows * 5 * F, columns: F)
        h.base.update(from: inputs, count: inputs.count)
        a.base.update(from: da, count: da.count)
        shape.activateBackward(dh, a, h, .standard)
        for row in 0..<rows {
            for unit in 0..<F {
                let (g, u) = (Double(h[row, unit]), Double(h[row, F + unit]))
                let gradient = Double(da[row * F + unit])
                let sigmoid = 1 / (1 + exp(-g))
                let exact = (
                    a: g * sigmoid * u, dg: gradient * u * sigmoid * (1 + g * (1 - sigmoid)), du: gradient * g * sigmoid
                )
                // The tolerance allows for rounding of float32.
                #expect(abs(Double(a[row, unit]) - exact.a) < 2e-6)
                #expect(abs(Double(dh[row, unit]) - exact.dg) < 2e-6)
                #expect(abs(Double(dh[row, F + unit]) - exact.du) < 2e-6)
            }
        }
    }
}
