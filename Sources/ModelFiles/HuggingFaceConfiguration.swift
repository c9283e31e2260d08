import Formats
import Platform
import Transformer

/// The `config.json` of a Hugging Face GPT-2. A switch that is not there has transformers' default.
package struct HuggingFaceConfiguration: Sendable {
    /// The `model_type` of a model that is no GPT-2, which transformers refuses.
    static let variantType = "ddp-train-variant"

    /// The model that it describes, but for `queryFactor`.
    package let model: GPTConfiguration
    /// What a user should know of how it was understood, a sentence each.
    package let notices: [String]
    /// Whether scores are multiplied by 1 / √D, as here, and whether they are divided by the layer's number.
    private let scalesBySize, scalesByLayer: Bool

    /// Reads a description, and refuses one of a model that would be computed differently here.
    ///
    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` that names the key, its value and
    ///   what is supported.
    package init(path: String) throws {
        let keys = try HuggingFaceKeys(path: path)
        let typeNotice = try keys.checkType()
        try keys.checkUnsupported()
        model = try keys.model()
        scalesBySize = try keys.isOn("scale_attn_weights", byDefault: true)
        scalesByLayer = try keys.isOn("scale_attn_by_inverse_layer_idx", byDefault: false)
        let changes =
            (scalesBySize ? [] : ["scale_attn_weights=false"])
            + (scalesByLayer ? ["scale_attn_by_inverse_layer_idx=true"] : [])
        let scaleNotice =
            """
            \(path) has \(changes.joined(separator: " and ")): the weights and biases of queries are scaled so that the usual \
            attention computes the same
            """
        notices = [typeNotice, changes.isEmpty ? nil : scaleNotice].compactMap { $0 }
    }

    /// What queries of a layer, counted from 0, are to be multiplied by: attention here always divides scores by √D.
    package func queryFactor(inLayer layer: Int) -> Double {
        (scalesBySize ? 1 : Double(model.headSize).squareRoot()) / (scalesByLayer ? Double(layer + 1) : 1)
    }
}

extension HuggingFaceKeys {
    /// A file without a type is taken by the class of its model.
    ///
    /// - Returns: what a user should know of that.
    fileprivate func checkType() throws -> String? {
        if let type = self["model_type"] {
            guard type == .string("gpt2") || type == .string(HuggingFaceConfiguration.variantType) else {
                throw refusal("model_type", "\"gpt2\"")
            }
            return nil
        }
        let classes = self["architectures"]?.arrayValue?.compactMap(\.stringValue) ?? []
        guard classes.isEmpty || classes.contains(where: { $0.hasPrefix("GPT2") }) else {
            throw refusal("architectures", "a GPT-2 such as [\"GPT2LMHeadModel\"]")
        }
        return "\(path) has no model_type: the model is read as gpt2"
    }

    /// Refuses what would change the numbers and has no equal here.
    fileprivate func checkUnsupported() throws {
        if try isOn("add_cross_attention", byDefault: false) { throw refusal("add_cross_attention", "false") }
        guard try isOn("is_causal", byDefault: true) else { throw refusal("is_causal", "true") }
        guard self["quantization_config"] ?? .null == .null else { throw refusal("quantization_config", "null") }
        let pruned = self["pruned_heads"] ?? .null
        guard pruned == .null || pruned == .object([]) else { throw refusal("pruned_heads", "{}") }
    }

    fileprivate func model() throws -> GPTConfiguration {
        var model = GPTConfiguration(
            layerCount: try size("n_layer", "num_hidden_layers"),
            headCount: try size("n_head", "num_attention_heads"),
            embeddingSize: try size("n_embd", "hidden_size"),
            blockSize: try size("n_positions", "max_position_embeddings"),
            vocabularySize: try size("vocab_size"),
            // A key of ours, which transformers ignores.
            bias: self["bias"]?.boolValue ?? true,
            activation: try activation()
        )
        guard model.embeddingSize % model.headCount == 0 else {
            throw refusal("n_head", "a divisor of n_embd (\(model.embeddingSize))")
        }
        if self["n_inner"] ?? .null != .null { model.feedForward.hiddenSize = try size("n_inner") }
        model.norm.epsilon = try epsilon()
        model.tiedHead = try isOn("tie_word_embeddings", byDefault: true)
        try setVariants(of: &model)
        return model
    }

    private func activation() throws -> Activation {
        let name = (self["activation_function"] ?? .string("gelu_new")).stringValue
        let found = Activation.allCases.first { activation in activation.huggingFaceNames.contains { $0 == name } }
        if let found { return found }
        let names = Activation.allCases.flatMap(\.huggingFaceNames)
        throw refusal("activation_function", names.dropLast().joined(separator: ", ") + " or \(names.last!)")
    }

    private func epsilon() throws -> Float {
        let value = Float((self["layer_norm_epsilon"] ?? .number(1e-5)).numberValue ?? 0)
        guard value > 0, value.isFinite else { throw refusal("layer_norm_epsilon", "a positive number") }
        return value
    }

    /// What our own checkpoints say about a model that is not a GPT-2.
    private func setVariants(of model: inout GPTConfiguration) throws {
        for member in self["variants"]?.objectValue ?? [] {
            guard model.setVariant(member.name, to: member.value.stringValue ?? "") else {
                throw refusal("variants", "a variant of this ddp-train (not \(member.name))")
            }
        }
        if let conflict = model.conflict {
            throw refusal("variants", "what goes together (\(conflict.reason))")
        }
    }
}

extension Activation {
    /// The names that transformers has for it; the first is the one that is written. The others have the same formula,
    /// computed in other steps.
    var huggingFaceNames: [String] {
        switch self {
        case .gelu: ["gelu", "gelu_python"]
        case .gelu_tanh: ["gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate"]
        case .relu: ["relu"]
        case .relu_squared: ["relu2"]
        case .silu: ["silu", "swish"]
        }
    }
}
