/// A named set of values that stands between the built-in defaults and the configuration files.
public enum Preset: String, Sendable, CaseIterable {
    case baby, char, tiny, small, medium, large, gpt2
    case gpt2Medium = "gpt2-medium"
    case none

    /// One line for help.
    public var summary: String {
        switch self {
        case .baby: "char on a CPU"
        case .char: "characters"
        case .tiny: "about 1M"
        case .small: "about 10M"
        case .medium: "about 30M"
        case .large: "86M to 124M"
        case .gpt2: "124M"
        case .gpt2Medium: "355M"
        case .none: "defaults"
        }
    }

    /// The configuration with this preset and nothing else.
    public var values: TrainingConfiguration {
        var values = TrainingConfiguration()
        values.preset = self
        _ = apply(to: &values)
        return values
    }

    /// Sets this preset's values, and names the keys it set.
    func apply(to configuration: inout TrainingConfiguration) -> [String] {
        var names: [String] = []
        for (name, text) in settings {
            do {
                try ConfigurationKey.named(name)!.set(text, in: &configuration)
            } catch {
                preconditionFailure("preset \(self), \(name) = \(text): \(error)")
            }
            names.append(name)
        }
        return names
    }

    /// Values in the form of a configuration file.
    private var settings: [(String, String)] {
        switch self {
        case .none:
            [("dataset", "\"openwebtext\"")]
        case .gpt2:
            [("dataset", "\"openwebtext\""), ("eval_interval", "1000"), ("log_interval", "10")]
        case .gpt2Medium:
            // GPT-2 medium (Radford et al., 2019) with the learning rate of GPT-3's model of that size (Brown et al., 2020,
            // table 2.1), as nanoGPT takes that of the small one.
            [
                ("dataset", "\"openwebtext\""), ("n_layer", "24"), ("n_head", "16"), ("n_embd", "1024"),
                ("batch_size", "4"), ("gradient_accumulation_steps", "120"), ("learning_rate", "3e-4"),
                ("min_lr", "3e-5"), ("eval_interval", "1000"), ("log_interval", "10"),
            ]
        case .char:
            Self.shakespeareCharacters
        case .baby:
            Self.shakespeareCharacters + [
                ("n_layer", "4"), ("n_head", "4"), ("n_embd", "128"), ("block_size", "64"), ("batch_size", "12"),
                ("dropout", "0.0"), ("max_iters", "2000"), ("lr_decay_iters", "2000"), ("eval_iters", "20"),
            ]
        // The four sizes below take batch and sequence length from the project's table of sizes, and steps of so few
        // tokens want the high beta2 of the character preset.
        case .tiny:
            Self.sizes + [
                ("n_layer", "5"), ("n_head", "4"), ("n_embd", "128"), ("batch_size", "8"), ("block_size", "128"),
            ]
        case .small:
            Self.sizes + [
                ("n_layer", "6"), ("n_head", "6"), ("n_embd", "384"), ("batch_size", "4"), ("block_size", "256"),
                ("dropout", "0.1"), ("learning_rate", "6e-4"), ("min_lr", "6e-5"),
            ]
        case .medium:
            Self.sizes + [
                ("n_layer", "10"), ("n_head", "8"), ("n_embd", "512"), ("batch_size", "6"), ("block_size", "384"),
                ("dropout", "0.1"), ("learning_rate", "4e-4"), ("min_lr", "4e-5"),
            ]
        case .large:
            Self.sizes + [
                ("n_layer", "12"), ("n_head", "12"), ("n_embd", "768"), ("batch_size", "2"), ("block_size", "1024"),
                ("dropout", "0.1"), ("learning_rate", "3e-4"), ("min_lr", "3e-5"),
            ]
        }
    }

    private static let shakespeareCharacters = [
        ("n_layer", "6"), ("n_head", "6"), ("n_embd", "384"), ("block_size", "256"), ("batch_size", "64"),
        ("gradient_accumulation_steps", "1"), ("dropout", "0.2"), ("learning_rate", "1e-3"), ("min_lr", "1e-4"),
        ("beta2", "0.99"), ("warmup_iters", "100"), ("max_iters", "5000"), ("lr_decay_iters", "5000"),
        ("eval_interval", "250"), ("eval_iters", "200"), ("log_interval", "10"), ("always_save_checkpoint", "false"),
    ]

    private static let sizes = [
        ("gradient_accumulation_steps", "1"), ("learning_rate", "1e-3"), ("min_lr", "1e-4"), ("beta2", "0.99"),
        ("warmup_iters", "100"), ("max_iters", "8000"), ("lr_decay_iters", "8000"), ("eval_interval", "500"),
        ("eval_iters", "20"), ("log_interval", "10"), ("always_save_checkpoint", "false"),
    ]
}
