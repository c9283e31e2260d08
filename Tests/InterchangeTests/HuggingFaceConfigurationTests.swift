import Compute
import Formats
import ModelFiles
import Platform
import TestSupport
import Testing
import Transformer

@testable import Interchange

@Suite("Hugging Face's config.json")
struct HuggingFaceConfigurationTests {
    private static let odd = Goldens.fixtures + "/huggingface_odd"
    private static let inverse = "scale_attn_by_inverse_layer_idx"
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Copies a model of transformers with changes to its config.json. Nil removes a key.
    private func copy(_ model: String = Goldens.transformers, _ changes: [(String, JSONValue?)] = []) throws {
        let members = try #require(JSONValue(ofFile: model + "/config.json").objectValue)
        let kept = members.filter { member in !changes.contains { $0.0 == member.name } }
        let added = changes.compactMap { name, value in value.map { JSONValue.Member(name, $0) } }
        try AtomicFile.write(JSONValue.object(kept + added).text(), to: folder("config.json"))
        try AtomicFile.write(try FileSystem.read(model + "/model.safetensors"), to: folder("model.safetensors"))
    }

    private func expectRefusal(_ message: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: UserError.self, sourceLocation: sourceLocation) {
            try PretrainedModel(path: folder.path)
        }
        #expect(error?.kind == .data, sourceLocation: sourceLocation)
        #expect(
            error?.message.contains(message) == true,
            "\(String(describing: error))",
            sourceLocation: sourceLocation
        )
    }

    @Test("models in safetensors and PyTorch files have the loss of transformers")
    func cases() throws {
        for name in ["hf-good", "hf-bin", "hf-gelu-fast"] {
            try Cases.expect("\(Cases.models)/\(name)", loss: 1.8697)
        }
        try Cases.expect("\(Cases.models)/hf-inverse-layer", loss: 1.8697, notices: ["has \(Self.inverse)=true"])
        try Cases.expect("\(Cases.models)/hf-bin/pytorch_model.bin", loss: 1.8697)
    }

    @Test(
        "a model with another inner size, epsilon, attention scale and an untied head has the logits of transformers",
        arguments: ["", "/older", "/older/pytorch_model.bin.index.json"]
    )
    func oddModel(path: String) throws {
        let source = try PretrainedModel(path: Self.odd + path)
        #expect(source.configuration.feedForward.hiddenSize == 20)
        #expect(source.configuration.norm.epsilon == 1e-3)
        #expect(!source.configuration.tiedHead)
        #expect(source.notices.count == 1)
        #expect(source.notices.first?.contains("has scale_attn_weights=false and \(Self.inverse)=true; ") == true)
        let model = try Goldens.load(Self.odd + path)
        try Goldens.expectLogits(of: model, Self.odd + "/logits.json")

        try HuggingFaceExport.write(model, to: folder("exported"))
        let description = try JSONValue(ofFile: folder("exported/config.json"))
        #expect(description["n_inner"] == .integer(20) && description["layer_norm_epsilon"] == .number(1e-3))
        #expect(description["scale_attn_weights"] == .bool(true) && description[Self.inverse] == .bool(false))
        #expect(description["model_type"] == .string("gpt2") && description["tie_word_embeddings"] == .bool(false))
        let exported = try PretrainedModel(path: folder("exported"))
        #expect(exported.configuration == source.configuration && exported.notices.isEmpty)
        #expect(try Goldens.values(Goldens.load(folder("exported"))) == Goldens.values(model))
    }

    @Test("other formats refuse a model with variants that they do not support")
    func otherFormats() throws {
        let model = try Goldens.load(Self.odd)
        let error = #expect(throws: UserError.self) { try LLMCExport.write(model, to: folder("llmc")) }
        #expect(
            error?.message.contains(
                "this model has tied_head=false, hidden_size=20, norm_epsilon=0.001; export it with --format=hf"
            ) == true
        )
    }

    @Test(
        "only queries are scaled",
        arguments: [("scale_attn_weights", false), (inverse, true)]
    )
    func queries(key: String, value: Bool) throws {
        // Heads have width 4, so their factor without scale_attn_weights is √4 = 2.
        let usual: [(String, JSONValue?)] = [("scale_attn_weights", .bool(true)), (Self.inverse, .bool(false))]
        try copy(Self.odd, usual)
        let plain = try Goldens.load(folder.path)
        try copy(Self.odd, usual.filter { $0.0 != key } + [(key, .bool(value))])
        let scaled = try Goldens.load(folder.path)
        var expected = Goldens.values(plain)
        let factors: [Double] = key == Self.inverse ? [1, 0.5, 1 / 3] : [2, 2, 2]
        for (layer, factor) in factors.enumerated() {
            for kind in ["weight", "bias"] {
                let tensor = try #require(plain.layout.tensor(named: "transformer.h.\(layer).attn.c_attn.\(kind)"))
                for index in tensor.range where (index - tensor.range.lowerBound) % 24 < 8 {
                    expected[index] = Float(Double(expected[index]) * factor)
                }
            }
        }
        #expect(Goldens.values(scaled) == expected)
    }

    @Test(
        "all names of the same formula give the same activation",
        arguments: [
            ("gelu", Activation.gelu), ("gelu_python", .gelu), ("gelu_new", .gelu_tanh), ("gelu_fast", .gelu_tanh),
            ("gelu_accurate", .gelu_tanh), ("gelu_pytorch_tanh", .gelu_tanh), ("gelu_python_tanh", .gelu_tanh),
            ("relu", .relu), ("relu2", .relu_squared), ("silu", .silu), ("swish", .silu),
        ]
    )
    func activations(name: String, activation: Activation) throws {
        try copy(Goldens.transformers, [("activation_function", .string(name))])
        #expect(try PretrainedModel(path: folder.path).configuration.activation == activation)
    }

    @Test("settings without effect on the results are accepted")
    func harmless() throws {
        let expected = try Goldens.values(Goldens.load(Goldens.transformers))
        let harmless: [[(String, JSONValue?)]] = [
            [("activation_function", nil), ("scale_attn_weights", nil), ("layer_norm_epsilon", nil), ("n_inner", nil)],
            [("reorder_and_upcast_attn", .bool(true)), ("torch_dtype", .string("float16")), ("n_ctx", .integer(99))],
            [("attn_pdrop", .number(0.5)), ("resid_pdrop", .number(0)), ("is_causal", .bool(true))],
            [("pruned_heads", .object([])), ("quantization_config", .null), ("bias", .string("no"))],
            [("n_embd", nil), ("hidden_size", .integer(12)), ("n_head", nil), ("num_attention_heads", .integer(3))],
            [("n_layer", nil), ("num_hidden_layers", .integer(2)), ("max_position_embeddings", .integer(8))],
        ]
        for changes in harmless {
            try copy(Goldens.transformers, changes)
            #expect(try PretrainedModel(path: folder.path).notices.isEmpty)
            #expect(try Goldens.values(Goldens.load(folder.path)) == expected)
        }
    }

    @Test("without a model_type, the class of the model decides whether it is a GPT-2")
    func withoutType() throws {
        for classes in [nil, JSONValue.array([.string("GPT2LMHeadModel")])] {
            try copy(Goldens.transformers, [("model_type", nil), ("architectures", classes)])
            let notices = try PretrainedModel(path: folder.path).notices
            #expect(notices == ["\(folder("config.json")) has no model_type; reading the model as gpt2"])
        }
        try copy(Goldens.transformers, [("model_type", nil), ("architectures", .array([.string("OPTForCausalLM")]))])
        expectRefusal(
            "architectures is [\"OPTForCausalLM\"], but only a GPT-2 such as [\"GPT2LMHeadModel\"] is supported"
        )
    }

    @Test(
        "a key that would change the results is refused with its value",
        arguments: [
            (
                "activation_function", JSONValue.string("quick_gelu"),
                "activation_function is \"quick_gelu\", but only gelu, "
            ),
            ("activation_function", .string("gelu_10"), "activation_function is \"gelu_10\", but only gelu, "),
            ("activation_function", .null, "activation_function is null, but only gelu, "),
            ("add_cross_attention", .bool(true), "add_cross_attention is true, but only false is supported"),
            ("is_causal", .bool(false), "is_causal is false, but only true is supported"),
            ("layer_norm_epsilon", .integer(0), "layer_norm_epsilon is 0, but only a positive number is supported"),
            ("layer_norm_epsilon", .string("1e-5"), "layer_norm_epsilon is \"1e-5\", but only a positive number"),
            ("n_inner", .integer(40), "mlp.c_fc.weight has shape [12, 48], but config.json requires [12, 40]"),
            ("n_inner", .string("48"), "n_inner is \"48\", but only a whole number from 1"),
            ("scale_attn_weights", .integer(0), "scale_attn_weights is 0, but only true or false is supported"),
            (
                "tie_word_embeddings", .string("no"),
                "tie_word_embeddings is \"no\", but only true or false is supported"
            ),
            ("hidden_size", .integer(24), "hidden_size is 24, but only 12, the value of n_embd, is supported"),
            ("quantization_config", .object([]), "quantization_config is {}, but only null is supported"),
            (
                "pruned_heads", .object([.init("0", .array([.integer(1)]))]),
                "pruned_heads is {\"0\":[1]}, but only {} is"
            ),
            ("n_positions", .integer(9), "wpe.weight has shape [8, 12], but config.json requires [9, 12]"),
            ("model_type", .integer(2), "model_type is 2, but only \"gpt2\" is supported"),
        ]
    )
    func refused(key: String, value: JSONValue, message: String) throws {
        try copy(Goldens.transformers, [(key, value)])
        expectRefusal(message)
    }

    @Test("safetensors take precedence over older files, and the error for a folder without a model lists its files")
    func choice() throws {
        try copy()
        try AtomicFile.write("not a model", to: folder("pytorch_model.bin"))
        #expect(try Goldens.values(Goldens.load(folder.path)) == Goldens.values(Goldens.load(Goldens.transformers)))
        try FileSystem.remove(folder("model.safetensors"))
        #expect(throws: UserError.self) { try PretrainedModel(path: folder.path) }
        try FileSystem.remove(folder("pytorch_model.bin"))
        try AtomicFile.write("", to: folder("tf_model.h5"))
        let error = #expect(throws: UserError.self) { try PretrainedModel(path: folder.path) }
        #expect(error?.kind == .inputOutput)
        #expect(error?.message.hasSuffix("pytorch_model.bin.index.json, but has only config.json, tf_model.h5") == true)
    }
}
