import Formats
import Platform
import Transformer

/// The `config.json` of a Hugging Face GPT-2.
public enum HuggingFaceConfiguration {
    /// The `model_type` of a model that is no GPT-2, which transformers refuses.
    static let variantType = "ddp-train-variant"

    /// Reads a description, and refuses one of a model that would be computed differently here.
    ///
    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` that names the key, its value and
    ///   what is supported.
    public static func read(_ path: String) throws -> GPTConfiguration {
        let json = try JSONValue(ofFile: path)
        func refuse(_ key: String, _ wanted: String) -> UserError {
            let value = json[key]?.text() ?? "missing"
            return UserError(.data, "\(path): \(key) is \(value), only \(wanted) is supported")
        }
        func size(_ key: String) throws -> Int {
            guard let value = json[key]?.integerValue, 1...(1 << 24) ~= value else {
                throw refuse(key, "a whole number from 1 to \(1 << 24)")
            }
            return value
        }
        /// A switch of transformers that changes what is computed; a file that leaves it out means the default.
        func require(_ key: String, _ supported: Bool, defaultValue: Bool) throws {
            guard json[key].map({ $0 == .bool(supported) }) ?? (defaultValue == supported) else {
                throw refuse(key, "\(supported)")
            }
        }

        let type = json["model_type"]?.stringValue
        guard type == "gpt2" || type == variantType else {
            throw refuse("model_type", "\"gpt2\"")
        }
        let activation = try activation(json["activation_function"]?.stringValue ?? "gelu_new") {
            refuse("activation_function", "gelu, gelu_new, relu, relu2 or silu")
        }
        try require("scale_attn_weights", true, defaultValue: true)
        try require("scale_attn_by_inverse_layer_idx", false, defaultValue: false)
        try require("add_cross_attention", false, defaultValue: false)
        let epsilon = json["layer_norm_epsilon"] ?? .number(1e-5)
        guard epsilon == .number(1e-5) else { throw refuse("layer_norm_epsilon", "1e-05") }

        var configuration = GPTConfiguration(
            layerCount: try size("n_layer"),
            headCount: try size("n_head"),
            embeddingSize: try size("n_embd"),
            blockSize: try size("n_positions"),
            vocabularySize: try size("vocab_size"),
            bias: json["bias"]?.boolValue ?? true,
            activation: activation
        )
        try configuration.setVariants(json) { refuse($0, $1) }
        guard configuration.embeddingSize % configuration.headCount == 0 else {
            throw refuse("n_head", "a divisor of n_embd (\(configuration.embeddingSize))")
        }
        if let conflict = configuration.conflict {
            throw refuse("variants", "what goes together (\(conflict.reason))")
        }
        let inner = json["n_inner"] ?? .null
        guard inner == .null || inner == .integer(4 * configuration.embeddingSize) else {
            throw refuse("n_inner", "4 n_embd")
        }
        return configuration
    }

    private static func activation(_ name: String, refusal: () -> UserError) throws -> Activation {
        guard let activation = Activation.allCases.first(where: { $0.huggingFaceNames.contains(name) }) else {
            throw refusal()
        }
        return activation
    }
}

extension Activation {
    /// The names that transformers has for it; the first is the one that is written.
    var huggingFaceNames: [String] {
        switch self {
        case .gelu: ["gelu"]
        case .gelu_tanh: ["gelu_new", "gelu_pytorch_tanh"]
        case .relu: ["relu"]
        case .relu_squared: ["relu2"]
        case .silu: ["silu", "swish"]
        }
    }
}

extension GPTConfiguration {
    /// Takes what our own checkpoints say about a model that is not a GPT-2, and a head that is not tied, which GPT-2's may be.
    fileprivate mutating func setVariants(_ json: JSONValue, refuse: (String, String) -> UserError) throws {
        tiedHead = json["tie_word_embeddings"]?.boolValue ?? true
        for member in json["variants"]?.objectValue ?? [] {
            guard setVariant(member.name, to: member.value.stringValue ?? "") else {
                throw refuse("variants", "a variant of this ddp-train (not \(member.name))")
            }
        }
    }
}
