import Compute
import Configuration
import Training
import Transformer

/// The shapes that `bench` knows by name. Where a preset of training has that name, model, dropout and batch are its own (but
/// for GPT-2's, whose batch is 1), and a step is one micro-batch.
package enum BenchPreset: String, CaseIterable, Sendable {
    case baby, char
    case charWithoutDropout = "char-nodropout"
    case gpt2
    case gpt2Medium = "gpt2-medium"
    case tiny, small, medium, large

    /// As options of training.
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

    /// This shape with some options of training in place of its own.
    ///
    /// - Throws: `UserError(.usage)` for values that are not allowed.
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

/// What a benchmark computes.
package struct BenchShape: Sendable {
    /// Where it comes from, for messages.
    package let preset: BenchPreset
    /// The options: batch, dropout, threads and all others.
    package let training: TrainingConfiguration
    /// The shape of the model that is trained.
    package let model: GPTConfiguration

    /// Worker threads.
    package var threads: Int { Processors.count(asked: training.threads) }
}
