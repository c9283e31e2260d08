import Configuration
import Datasets
import Platform
import Training

/// The facts about the data that a plan needs. The dataset need not exist yet.
package struct PlannedData: Equatable, Sendable {
    /// The number of rows of the token embedding.
    package var vocabularySize: Int
    /// Where the vocabulary size comes from, for the output.
    package var vocabularyOrigin: String
    /// The size of the token files of both splits in bytes; nil if the dataset does not exist.
    package var bytes: Int?
    /// Whether evaluations write a sample, which needs a tokenizer.
    package var samples: Bool

    package init(vocabularySize: Int, vocabularyOrigin: String, bytes: Int?, samples: Bool) {
        self.vocabularySize = vocabularySize
        self.vocabularyOrigin = vocabularyOrigin
        self.bytes = bytes
        self.samples = samples
    }

    /// Reads the facts from the configuration's dataset, or takes those of the preset if the dataset does not exist.
    ///
    /// - Parameters:
    ///   - vocabularySize: the size given by the user or by weights, which takes precedence.
    ///   - origin: where `vocabularySize` comes from.
    /// - Throws: `UserError(.data)` if the dataset exists but is damaged.
    package init(
        configuration: TrainingConfiguration,
        vocabularySize: Int? = nil,
        origin: String = "--vocab_size"
    ) throws {
        let path = configuration.dataDir + "/" + configuration.dataset
        if FileSystem.kind(of: path) == .folder {
            let dataset = try Dataset.open(folder: configuration.dataDir, name: configuration.dataset)
            self.init(
                vocabularySize: vocabularySize ?? dataset.vocabularySize,
                vocabularyOrigin: vocabularySize == nil ? "dataset \(configuration.dataset)" : origin,
                bytes: dataset.train.byteCount + dataset.validation.byteCount,
                samples: dataset.tokenizer != nil
            )
            return
        }
        let natural = configuration.preset.vocabularySize
        self.init(
            vocabularySize: vocabularySize ?? natural,
            vocabularyOrigin: vocabularySize == nil
                ? "preset \(configuration.preset.rawValue), as there is no dataset \(configuration.dataset) in "
                    + "\(configuration.dataDir)" : origin,
            bytes: nil,
            samples: natural == Preset.characterVocabularySize
        )
    }
}
