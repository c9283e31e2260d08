import Formats
import Platform

/// What dataset.json says about a dataset: how its tokens were made and how to check them.
///
/// A split lists its files, so that shards fit; the tokenizer is named by kind, file and hash, so that other kinds fit.
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

    /// The text that the tokens of a split were made of.
    package struct Text: Equatable, Sendable {
        /// Without what separated the documents.
        package var bytes: Int
        package var documents: Int

        package init(bytes: Int, documents: Int) { (self.bytes, self.documents) = (bytes, documents) }
    }

    /// What decided which text is for training, and which for validation.
    package enum Rule: Equatable, Sendable {
        /// This share of the one text, from its start, is for training.
        case position(trainShare: Double)
        /// Documents by a hash (`DocumentSplit`): this share of them is for validation.
        case hash(validationShare: Double, seed: UInt64)
        /// The sources have the two apart.
        case sources
    }

    /// A file that the text came from, or a folder of them.
    package struct Source: Equatable, Sendable {
        package var name: String
        package var bytes: Int
        package var sha256: String

        package init(name: String, bytes: Int, sha256: String) {
            (self.name, self.bytes, self.sha256) = (name, bytes, sha256)
        }
    }

    /// How to make the demo corpus again, and which grammar its optimum belongs to.
    package struct Demo: Equatable, Sendable {
        package var seed: UInt64
        package var characters: Int
        package var grammar: String

        package init(seed: UInt64, characters: Int, grammar: String) {
            (self.seed, self.characters, self.grammar) = (seed, characters, grammar)
        }
    }

    /// What was found in the text, or done to it, while it was read: by name, how often.
    package struct ReadingCount: Equatable, Sendable {
        package var name: String
        package var count: Int

        package init(name: String, count: Int) { (self.name, self.count) = (name, count) }
    }

    package var name: String
    package var tokenizer: TokenizerReference
    /// Whether text that looked like a special token became one.
    package var recognizesSpecialTokens: Bool
    package var vocabularySize: Int
    package var elementType: String
    package var train: [File]
    package var validation: [File]
    /// Nil where it is not known, as in datasets of earlier versions of this program.
    package var trainText: Text?
    package var validationText: Text?
    package var rule: Rule
    package var sources: [Source]
    package var demo: Demo?
    /// The text that follows each document where the tokenizer has no token for it.
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

    /// Identifies tokens and tokenizer, whatever the dataset is called and wherever it lies.
    package var fingerprint: String {
        let parts = [tokenizer.sha256, "train"] + train.map(\.sha256) + ["val"] + validation.map(\.sha256)
        return Checksum.sha256(of: parts.joined(separator: " "))
    }
}
