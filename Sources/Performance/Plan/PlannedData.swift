import Configuration
import Datasets
import Platform
import Training

/// What a plan must know of the data, whether or not they are there yet.
package struct PlannedData: Equatable, Sendable {
    /// Rows of the token embedding.
    package var vocabularySize: Int
    /// Where the vocabulary's size comes from, for the output.
    package var vocabularyOrigin: String
    /// Bytes of the token files of both splits; nil when the dataset is not there.
    package var bytes: Int?
    /// Whether evaluations will write a sample, which takes a tokenizer.
    package var samples: Bool

    /// Facts that are known; the other initializer finds them out.
    package init(vocabularySize: Int, vocabularyOrigin: String, bytes: Int?, samples: Bool) {
        self.vocabularySize = vocabularySize
        self.vocabularyOrigin = vocabularyOrigin
        self.bytes = bytes
        self.samples = samples
    }

    /// From the dataset that the configuration names, if it is there; else what its preset is meant for.
    ///
    /// - Parameters:
    ///   - vocabularySize: what the user says or weights have, which goes first.
    ///   - origin: who says so.
    /// - Throws: `UserError(.data)` when the dataset is there and damaged.
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
                vocabularyOrigin: vocabularySize == nil ? "data set \(configuration.dataset)" : origin,
                bytes: dataset.train.byteCount + dataset.validation.byteCount,
                samples: dataset.tokenizer != nil
            )
            return
        }
        let natural = configuration.preset.vocabularySize
        self.init(
            vocabularySize: vocabularySize ?? natural,
            vocabularyOrigin: vocabularySize == nil
                ? "preset \(configuration.preset.rawValue), as there is no data set \(configuration.dataset) in "
                    + "\(configuration.dataDir)" : origin,
            bytes: nil,
            samples: natural == Preset.characterVocabularySize
        )
    }
}
