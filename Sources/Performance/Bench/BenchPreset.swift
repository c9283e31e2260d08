import Training
import Transformer

/// The shapes that `bench` knows by name. Where a preset of training has that name, model, dropout and batch are its own (but
/// for GPT-2, whose batch is 1), and a step is one micro-batch.
public enum BenchPreset: String, CaseIterable, Sendable {
    case baby, char
    case charWithoutDropout = "char-nodropout"
    case gpt2
    case gpt2Medium = "gpt2-medium"
    case tiny, small, medium, large

    /// Different tokens of the data that such a model is trained on: characters of tiny shakespeare, or GPT-2's tokens
    /// rounded up to a multiple of 64, as nanoGPT does.
    var vocabularySize: Int {
        switch self {
        case .baby, .char, .charWithoutDropout, .tiny, .small, .medium: 65
        case .gpt2, .gpt2Medium, .large: 50304
        }
    }

    /// As options of training.
    var options: [(name: String, value: String)] {
        let base = [("preset", preset.rawValue), ("gradient_accumulation_steps", "1")]
        switch self {
        case .charWithoutDropout: return base + [("dropout", "0")]
        case .gpt2: return base + [("batch_size", "1")]
        case .gpt2Medium: return base + [("n_layer", "24"), ("n_head", "16"), ("n_embd", "1024"), ("batch_size", "1")]
        default: return base
        }
    }

    private var preset: Preset {
        switch self {
        case .charWithoutDropout: .char
        case .gpt2Medium: .gpt2
        default: Preset(rawValue: rawValue)!
        }
    }

    /// This shape with some options of training in place of its own.
    ///
    /// - Throws: `UserError(.usage)` for values that are not allowed.
    public func shape(
        with options: [(name: String, value: String)] = [],
        vocabularySize: Int? = nil
    ) throws -> BenchShape {
        let resolved = try ConfigurationSources(options: self.options + options).resolve()
        return BenchShape(
            preset: self,
            training: resolved.values,
            model: resolved.values.model(vocabularySize: vocabularySize ?? self.vocabularySize)
        )
    }
}

/// What a benchmark computes.
public struct BenchShape: Sendable {
    public let preset: BenchPreset
    public let training: TrainingConfiguration
    public let model: GPTConfiguration

    /// Worker threads.
    public var threads: Int { training.threads == 0 ? Processors.available : training.threads }
}
