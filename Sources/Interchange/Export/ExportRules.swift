import ModelFiles
import Platform
import Transformer

/// Checks that a model can be exported to a format.
enum ExportRules {
    /// - Parameter allowed: The variants of GPT-2 that the format supports.
    /// - Throws: `UserError(.usage)` if the model has other variants.
    static func checkVariants(_ configuration: GPTConfiguration, format: String, allowed: Set<String> = []) throws {
        let changes = configuration.architectureChanges.filter { !allowed.contains($0.name) }
        guard !changes.isEmpty else { return }
        let list = changes.map { "\($0.name)=\($0.value)" }.joined(separator: ", ")
        let isForTransformers = changes.allSatisfy { HuggingFaceConfiguration.supportedVariants.contains($0.name) }
        let fix = isForTransformers ? "export it with --format=hf" : "no export format supports it"
        throw UserError(.usage, "\(format) supports only GPT-2, but this model has \(list); \(fix)")
    }

    /// llm.c and GGUF's gpt2 always compute the tanh form of GELU.
    ///
    /// - Throws: `UserError(.usage)` if the model has another activation.
    static func checkActivation(_ configuration: GPTConfiguration, format: String) throws {
        guard configuration.activation != .gelu_tanh else { return }
        throw UserError(
            .usage,
            """
            \(format) always computes the tanh GELU, but this model has activation=\(configuration.activation.rawValue); \
            train with --activation=gelu_tanh or export with --format=hf
            """
        )
    }
}
