import Formats
import Platform

/// The contents of dataset.json: how the tokens of a dataset were made, and the hashes of its files.
///
/// Each split lists its files, because it can have several shards. The tokenizer is described by kind, file and hash.
package struct DatasetDescription: Equatable, Sendable {
    package static let fileName = "dataset.json"
    package static let version = 1

    package struct TokenizerReference: Equatable, Sendable {
        package var kind: String
        package var file: String
        package var sha256: String

        package init(kind: String, file: String, sha256: String) {
            (self.kind, self.file, self.sha256) = (kind, file, sha256)
        }
    }

    package struct File: Equatable, Sendable {
        package var name: String
        package var tokens: Int
        package var sha256: String

        package init(name: String, tokens: Int, sha256: String) {
            (self.name, self.tokens, self.sha256) = (name, tokens, sha256)
        }
    }

    /// The size of the text of a split.
    package struct Text: Equatable, Sendable {
        /// Without the separators between documents.
        package var bytes: Int
        package var documents: Int

        package init(bytes: Int, documents: Int) { (self.bytes, self.documents) = (bytes, documents) }
    }

    /// How the text was divided into training and validation.
    package enum Rule: Equatable, Sendable {
        /// The first part of the text, with this share of its length, is for training.
        case position(trainShare: Double)
        /// A hash of each document decides (`DocumentSplit`). This share of the documents is for validation.
        case hash(validationShare: Double, seed: UInt64)
        /// The sources are already divided.
        case sources
    }

    /// A file or folder from which the text was read.
    package struct Source: Equatable, Sendable {
        package var name: String
        package var bytes: Int
        package var sha256: String

        package init(name: String, bytes: Int, sha256: String) {
            (self.name, self.bytes, self.sha256) = (name, bytes, sha256)
        }
    }

    /// The parameters of the demo corpus and the hash of its grammar.
    package struct Demo: Equatable, Sendable {
        package var seed: UInt64
        package var characters: Int
        package var grammar: String

        package init(seed: UInt64, characters: Int, grammar: String) {
            (self.seed, self.characters, self.grammar) = (seed, characters, grammar)
        }
    }

    /// How often something was found in the text or changed while it was read.
    package struct ReadingCount: Equatable, Sendable {
        package var name: String
        package var count: Int

        package init(name: String, count: Int) { (self.name, self.count) = (name, count) }
    }

    package var name: String
    package var tokenizer: TokenizerReference
    /// Whether text that looks like a special token was encoded as that token.
    package var recognizesSpecialTokens: Bool
    package var vocabularySize: Int
    package var elementType: String
    package var train: [File]
    package var validation: [File]
    /// Nil if unknown, as in datasets of early versions.
    package var trainText: Text?
    package var validationText: Text?
    package var rule: Rule
    package var sources: [Source]
    package var demo: Demo?
    /// The text after each document, if the tokenizer has no end-of-text token.
    package var documentEnd: String?
    package var reading: [ReadingCount]

    package init(
        name: String,
        tokenizer: TokenizerReference,
        recognizesSpecialTokens: Bool = false,
        vocabularySize: Int,
        elementType: String,
        train: [File],
        validation: [File],
        trainText: Text? = nil,
        validationText: Text? = nil,
        rule: Rule,
        sources: [Source],
        demo: Demo? = nil,
        documentEnd: String? = nil,
        reading: [ReadingCount] = []
    ) {
        self.name = name
        self.tokenizer = tokenizer
        self.recognizesSpecialTokens = recognizesSpecialTokens
        self.vocabularySize = vocabularySize
        self.elementType = elementType
        self.train = train
        self.validation = validation
        self.trainText = trainText
        self.validationText = validationText
        self.rule = rule
        self.sources = sources
        self.demo = demo
        self.documentEnd = documentEnd
        self.reading = reading
    }

    /// A SHA-256 hash that identifies tokens and tokenizer, independent of name and path.
    package var fingerprint: String {
        let parts = [tokenizer.sha256, "train"] + train.map(\.sha256) + ["val"] + validation.map(\.sha256)
        return Checksum.sha256(of: parts.joined(separator: " "))
    }
}
