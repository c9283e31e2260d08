import ModelFiles
import Platform
import Transformer

/// What the formats here can say of a model.
enum ExportRules {
    /// - Parameter allowed: settings that the format has words for.
    /// - Throws: `UserError(.usage)` when the model is no GPT-2, which no other tool could compute.
    static func checkVariants(_ configuration: GPTConfiguration, format: String, allowed: Set<String> = []) throws {
        let changes = configuration.otherModel.filter { !allowed.contains($0.name) }
        guard !changes.isEmpty else { return }
        let list = changes.map { "\($0.name)=\($0.value)" }.joined(separator: ", ")
        let isForTransformers = changes.allSatisfy { HuggingFaceConfiguration.supportedVariants.contains($0.name) }
        let fix = isForTransformers ? "export it with --format=hf" : "such a model stays here"
        throw UserError(.usage, "\(format) describes a GPT-2, and this model has \(list): \(fix)")
    }

    /// Both llm.c and GGUF's gpt2 compute the tanh form of GELU, whatever a model was trained with.
    ///
    /// - Throws: `UserError(.usage)` when the model has another.
    static func checkActivation(_ configuration: GPTConfiguration, format: String) throws {
        guard configuration.activation != .gelu_tanh else { return }
        throw UserError(
            .usage,
            """
            \(format) always computes the tanh GELU, and this model has activation=\(configuration.activation.rawValue): train with \
            --activation=gelu_tanh, or export with --format=hf
            """
        )
    }
}
