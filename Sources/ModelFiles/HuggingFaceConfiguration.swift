import Formats
import Platform
import Transformer

/// The `config.json` of a Hugging Face GPT-2. Missing keys have the defaults of transformers.
package struct HuggingFaceConfiguration: Sendable {
    /// The `model_type` of a model that is not a GPT-2. transformers refuses this type.
    static let variantType = "ddp-train-variant"

    /// The configuration of the model, without the scaling of `queryFactor(inLayer:)`.
    package let model: GPTConfiguration
    /// Messages for the user about assumptions and conversions.
    package let notices: [String]
    /// `scalesBySize`: whether attention scores are multiplied by 1 / √D, as in this project. `scalesByLayer`: whether
    /// they are also divided by the number of the layer, counted from 1.
    private let scalesBySize, scalesByLayer: Bool

    /// Reads a `config.json` and rejects settings that this project would compute differently.
    ///
    /// - Throws: `UserError(.inputOutput)` if the file cannot be read, `UserError(.data)` with the key, its value and
    ///   the supported values.
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
            \(path) has \(changes.joined(separator: " and ")); scaled the weights and biases of the queries so that standard \
            attention gives the same result
            """
        notices = [typeNotice, changes.isEmpty ? nil : scaleNotice].compactMap { $0 }
    }

    /// Returns the factor for the queries of a layer, counted from 0. Attention in this project always divides scores
    /// by √D, so other scaling is applied to the queries.
    package func queryFactor(inLayer layer: Int) -> Double {
        (scalesBySize ? 1 : Double(model.headSize).squareRoot()) / (scalesByLayer ? Double(layer + 1) : 1)
    }
}

extension HuggingFaceKeys {
    /// Checks the type of the model, or its class if there is no type.
    ///
    /// - Returns: A notice if there is no type.
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
        return "\(path) has no model_type; reading the model as gpt2"
    }

    /// Rejects settings that change the results and that this project does not support.
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
            // An addition of this project, which transformers ignores.
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

    /// Applies the variants that this project's checkpoints list for models that are not a GPT-2.
    private func setVariants(of model: inout GPTConfiguration) throws {
        for member in self["variants"]?.objectValue ?? [] {
            guard model.setVariant(member.name, to: member.value.stringValue ?? "") else {
                throw refusal("variants", "a variant of this ddp-train (not \(member.name))")
            }
        }
        if let conflict = model.conflict {
            throw refusal("variants", "a valid combination (\(conflict.reason))")
        }
    }
}

extension Activation {
    /// The names of the activation in transformers. The first name is written to files. The other names have the same
    /// formula, computed with other intermediate steps.
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
