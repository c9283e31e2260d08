import Compute
import Foundation
import TestSupport
import Testing

@testable import Transformer

/// Compares the variants of the model with plain functions of PyTorch (Tests/Fixtures/pytorch/make_variants.py), and
/// checks the properties of each.
@Suite("Variants of the model")
struct VariantTests {
    struct Golden: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let settings: [String: String]
        let loss: Double
        var testDescription: String { name }
    }

    struct Goldens: Decodable, Sendable {
        let shape: [String: Int]
        let tokens, targets: [Int32]
        let variants: [Golden]

        static let all = try! JSONDecoder().decode(
            Goldens.self,
            from: Data(contentsOf: URL(fileURLWithPath: PyTorchGoldens.folder + "/variants.json"))
        )
        static let tensors = try! PyTorchGoldens.tensors("variants")
    }

    private func configuration(_ settings: [String: String]) throws -> GPTConfiguration {
        let shape = Goldens.all.shape
        var configuration = GPTConfiguration(
            layerCount: shape["n_layer"]!,
            headCount: shape["n_head"]!,
            embeddingSize: shape["n_embd"]!,
            blockSize: shape["block_size"]!,
            vocabularySize: shape["vocab_size"]!,
            bias: true
        )
        for (name, value) in settings {
            if name == "activation" {
                configuration.activation = try #require(Activation(rawValue: value))
            } else {
                let isSet = configuration.setVariant(name, to: value)
                #expect(isSet, "\(name)=\(value)")
            }
        }
        return configuration
    }

    private func model(_ settings: [String: String], threads: Int = 2) throws -> GPT {
        let model = GPT(
            configuration: try configuration(settings),
            context: ComputeContext(pool: WorkerPool(threadCount: threads))
        )
        for tensor in model.layout.tensors {
            let values = try #require(Goldens.tensors[tensor.name], "\(tensor.name)")
            for (index, value) in zip(tensor.range, values) { model.parameters.base[index] = value }
        }
        return model
    }

    @Test("logits, loss and every gradient agree with PyTorch", arguments: Goldens.all.variants)
    func parity(golden: Golden) throws {
        let model = try model(golden.settings)
        let (tokens, targets) = (Goldens.all.tokens, Goldens.all.targets)
        let T = model.configuration.blockSize
        let expected = try #require(Goldens.tensors["\(golden.name)/logits"]).map(Double.init)
        let logits = stride(from: 0, to: tokens.count, by: T).flatMap {
            model.logits(tokens: Array(tokens[$0..<$0 + T]))
        }
        // The tolerance is that of float32, as in the tests of GPT-2.
        #expect(relativeError(logits.map(Double.init), expected) < 1e-5)

        let scale = 1 / Float(tokens.count)
        let sum = model.forwardBackward(
            tokens: tokens,
            targets: targets,
            sequenceLength: T,
            gradientScale: scale,
            dropout: nil
        )
        #expect(abs(sum / Double(tokens.count) - golden.loss) < 1e-5 * golden.loss)
        let prefix = golden.name + "/"
        let names = Goldens.tensors.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        #expect(Set(names).subtracting(["logits"]) == Set(model.layout.tensors.map(\.name)))
        // A tensor whose exact gradient is zero (the bias of keys) is compared relative to the whole gradient.
        let whole = norm(names.filter { $0 != "logits" }.flatMap { Goldens.tensors[prefix + $0]!.map(Double.init) })
        for tensor in model.layout.tensors {
            let exact = Goldens.tensors[prefix + tensor.name]!.map(Double.init)
            let difference = zip(exact, model.gradients.elements[tensor.range]).map { $0 - Double($1) }
            #expect(
                norm(difference) <= 1e-5 * norm(exact) + 1e-6 * whole,
                "\(tensor.name): \(norm(difference)) of \(norm(exact))"
            )
        }
    }

    @Test(
        "1 and 3 threads give the same bits, and generation gives the logits of a full pass",
        arguments: Goldens.all.variants
    )
    func threadsAndGeneration(golden: Golden) throws {
        let (one, three) = (try model(golden.settings, threads: 1), try model(golden.settings, threads: 3))
        let (tokens, T) = (Goldens.all.tokens, one.configuration.blockSize)
        for model in [one, three] {
            _ = model.forwardBackward(
                tokens: tokens,
                targets: Goldens.all.targets,
                sequenceLength: T,
                gradientScale: 1,
                dropout: nil
            )
        }
        #expect(Array(one.gradients.elements) == Array(three.gradients.elements))

        // Without the mask a full pass sees later tokens, which generation does not.
        guard one.configuration.ablations.causalMask else { return }
        let whole = one.logits(tokens: Array(tokens.prefix(T)))
        let generator = Generator(model: one)
        var worst: Float = 0
        for piece in [0..<17, 17..<18, 18..<T] {
            let last = Array(generator.append(Array(tokens[piece])))
            let row = (piece.upperBound - 1) * last.count
            worst = max(worst, zip(last, whole[row..<row + last.count]).map { abs($0 - $1) }.max()!)
        }
        #expect(worst < 1e-4, "logits differ by \(worst)")
    }

    @Test(
        "masked positions have weight zero, and each row sums to 1",
        arguments: [
            ["causal_mask": "false"], ["attention_window": "3"], ["attention_window": "3", "attention_sinks": "2"],
            ["position_embedding": "alibi"], ["ablate_heads": "0.1"],
        ]
    )
    func weights(settings: [String: String]) throws {
        let model = try model(settings)
        let variants = model.configuration.ablations
        let T = model.configuration.blockSize
        for head in model.attentionWeights(tokens: Array(Goldens.all.tokens.prefix(T))).joined() {
            for query in 0..<T {
                let row = head[query * T..<(query + 1) * T]
                #expect(abs(row.reduce(0, +) - 1) < 1e-5)
                for (key, weight) in row.enumerated() {
                    let near = variants.attentionWindow == 0 || query - key < variants.attentionWindow
                    let seen = (near || key < variants.attentionSinks) && (key <= query || !variants.causalMask)
                    #expect((weight > 0) == seen, "query \(query), key \(key): \(weight)")
                }
            }
        }
    }

    @Test("plain attention gives the same result as tiled attention and takes more memory")
    func plain() throws {
        let (tiled, plain) = (try model([:]), try model(["attention": "plain"]))
        let tokens = Array(Goldens.all.tokens.prefix(40))
        for (a, b) in zip(tiled.logits(tokens: tokens), plain.logits(tokens: tokens)) { #expect(abs(a - b) < 1e-5) }
        func bytes(_ configuration: GPTConfiguration) -> Int {
            var configuration = configuration
            configuration.blockSize = 1024
            return GPT.memoryEstimate(configuration: configuration, batchSize: 1, sequenceLength: 1024, threads: 1)
                .activations
        }
        // Two matrices of scores, (1024, 1040) instead of (64, 1040), and one float per row.
        let difference = bytes(plain.configuration) - bytes(tiled.configuration)
        #expect(difference == 4 * (1024 - 64) * (2 * 1040 + 1))
    }

    @Test("settings can be written and read back, and invalid values are refused")
    func settings() {
        let gpt2 = GPTConfiguration(layerCount: 2, headCount: 2, embeddingSize: 8, blockSize: 4, vocabularySize: 3)
        for golden in Goldens.all.variants {
            var model = gpt2
            for (name, value) in golden.settings where name != "activation" { _ = model.setVariant(name, to: value) }
            let changes = Dictionary(uniqueKeysWithValues: model.variantChanges.map { ($0.name, $0.value) })
            #expect(changes == golden.settings.filter { $0.key != "activation" })
        }
        var model = gpt2
        for (name, value) in [
            ("causal_mask", "maybe"), ("attention_window", "-1"), ("attention_temperature", "0"), ("norm", "batch"),
            ("ablate_heads", "1"), ("nothing", "1"),
        ] {
            let isSet = model.setVariant(name, to: value)
            #expect(!isSet, "\(name)=\(value)")
        }
        #expect(model == gpt2)
        model.ablations.attentionSinks = 2
        #expect(model.conflict?.names == ["attention_sinks"])
        model = gpt2
        model.attention.keyValueHeadCount = 3
        #expect(model.conflict?.names == ["n_head", "n_kv_head"])
    }
}
