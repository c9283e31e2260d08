import Compute
import Configuration
import Training
import Transformer

/// The named shapes of `bench`. Model, dropout and batch size are those of the training preset, except that GPT-2
/// shapes have batch size 1. A step is one micro-batch.
package enum BenchPreset: String, CaseIterable, Sendable {
    case baby, char
    case charWithoutDropout = "char-nodropout"
    case gpt2
    case gpt2Medium = "gpt2-medium"
    case tiny, small, medium, large

    /// The shape as options of `train`.
    var options: [(name: String, value: String)] {
        let base = [("preset", preset.rawValue), ("gradient_accumulation_steps", "1")]
        switch self {
        case .charWithoutDropout: return base + [("dropout", "0")]
        case .gpt2, .gpt2Medium: return base + [("batch_size", "1")]
        default: return base
        }
    }

    private var preset: Preset {
        self == .charWithoutDropout ? .char : Preset(rawValue: rawValue)!
    }

    /// This shape with some options replaced.
    ///
    /// - Throws: `UserError(.usage)` for invalid values.
    package func shape(
        with options: [(name: String, value: String)] = [],
        vocabularySize: Int? = nil
    ) throws -> BenchShape {
        let resolved = try ConfigurationSources(options: self.options + options).resolve()
        return BenchShape(
            preset: self,
            training: resolved.values,
            model: resolved.values.model(vocabularySize: vocabularySize ?? preset.vocabularySize)
        )
    }
}

/// The model and options that a benchmark runs.
package struct BenchShape: Sendable {
    /// The preset of the shape, for output.
    package let preset: BenchPreset
    package let training: TrainingConfiguration
    package let model: GPTConfiguration

    /// The number of worker threads.
    package var threads: Int { Processors.count(asked: training.threads) }
}
