import Compute
import Testing
import Training
import Transformer

@testable import Insight

@Suite("Self-test")
struct SelfTestTests {
    private static let configuration = GPTConfiguration(
        layerCount: 2,
        headCount: 2,
        embeddingSize: 32,
        blockSize: 24,
        vocabularySize: 120
    )

    private func failures(_ configuration: GPTConfiguration = configuration, change: @escaping (GPT) -> Void = { _ in })
        -> [String]
    {
        SelfTest(configuration, pool: WorkerPool(threadCount: 2), change: change).run().filter { !$0.passed }.map(
            \.name
        )
    }

    @Test(
        "an intact model and its variants pass every check",
        arguments: [
            [:], ["causal_mask": "false"], ["position_embedding": "rotary", "norm": "rmsnorm"],
            ["norm_position": "post"],
            ["norm": "none", "tied_head": "false"], ["attention_window": "5", "attention_sinks": "1"],
            ["attention": "plain"],
        ] as [[String: String]]
    )
    func intact(variants: [String: String]) {
        var configuration = Self.configuration
        for (name, value) in variants { _ = configuration.setVariant(name, to: value) }
        configuration.bias = variants.isEmpty
        #expect(failures(configuration) == [])
    }

    @Test("each kind of damage fails the check for it")
    func damaged() {
        func scale(_ range: @escaping (GPT) -> Range<Int>, by factor: Float) -> (GPT) -> Void {
            { model in for index in range(model) { model.parameters.base[index] *= factor } }
        }
        #expect(
            failures(change: scale({ $0.layout.range(of: "transformer.h.0.ln_1.weight") }, by: 2)).contains("LayerNorm")
        )
        #expect(failures(change: scale({ $0.layout.tokenEmbedding }, by: 100)).contains("Initialization"))
        #expect(
            failures(change: scale({ $0.layout.range(of: "transformer.h.1.attn.c_attn.weight") }, by: .nan)).contains(
                "Gradient flow"
            )
        )
        #expect(
            failures(change: scale({ $0.layout.range(of: "transformer.h.1.mlp.c_proj.weight") }, by: .nan)).contains(
                "Loss"
            )
        )
    }

    @Test("every check has a distinct name, a sentence and numbers")
    func numbers() throws {
        let checks = SelfTest(Self.configuration, pool: WorkerPool(threadCount: 1)).run()
        let parameters = try #require(checks.first)
        // 2 · 12 · 32² + 5 · 32 + (120 + 24) · 32
        #expect(parameters.numbers.hasPrefix("29,344 parameters, 29,344 by the formula"))
        #expect(Set(checks.map(\.name)).count == checks.count)
        #expect(checks.allSatisfy { !$0.numbers.isEmpty && $0.statement.hasSuffix(".") })
    }
}
