import Datasets
import Platform

/// The input and the settings of a preparation.
public struct PreparationRequest: Equatable, Sendable {
    /// The source of the text.
    public enum Source: Equatable, Sendable {
        /// Files, folders, glob patterns, or "-" for standard input.
        case inputs([FilePath])
        /// A published dataset, from `copy` if it is not nil, else from the cache folder or a download.
        case published(NamedDataset, copy: String?)
        /// Text that the grammar of the demo corpus generates.
        case demo(seed: UInt64, characters: Int)

        /// Files, folders, glob patterns, or "-" for standard input, as strings.
        public static func inputs(_ paths: [String]) -> Source { .inputs(paths.map { FilePath($0) }) }
    }

    /// The source of the text.
    public var source: Source
    /// The name of the dataset, which is written to the folder `dataFolder/name`.
    public var name: String
    /// The folder of all datasets.
    public var dataFolder: String
    /// The tokenizer, or nil to build one from the text: of characters for up to 2 MB of text, else of byte pairs.
    public var tokenizer: TokenizerSource?
    /// Whether the text of a special token, such as `<|endoftext|>`, is encoded as this token.
    public var recognizesSpecialTokens = false
    /// The text between documents of plain text, or nil if each file is one document.
    public var separator: String?
    /// The field of JSONL objects that is the text. If nil, the field is "text", and JSONL files are recognized by name
    /// or content.
    public var field: String?
    /// Whether to skip bad lines of JSONL and files that are not text, with a notice.
    public var skipsBad: Bool
    /// The share of documents for validation, from 0 to 1. If nil, the share is `defaultValidationShare`, or
    /// `validationShareForFewDocuments` if the default gives no documents or only a few short ones.
    public var validationShare: Double?
    /// The seed of the hash that selects the documents for validation.
    public var seed: UInt64
    /// The number of tokens per shard.
    public var shardSize: Int
    /// The number of training shards to use of a dataset that is published as shards, or nil for all.
    public var publishedShards: Int?
    /// The number of threads that read and tokenize, at least 1.
    public var threads: Int
    /// Whether to replace an existing dataset of the same name.
    public var overwrite: Bool

    /// The default share of documents for validation: nanoGPT's share for openwebtext.
    public static let defaultValidationShare = 0.0005
    /// The share that is used if the default share gives no validation documents or only a few short ones.
    public static let validationShareForFewDocuments = 0.1
    /// The default seed: nanoGPT's seed for openwebtext.
    public static let defaultSeed: UInt64 = 2357
    /// The default number of tokens per shard: 200 MB with 2 bytes per token.
    public static let defaultShardSize = 100_000_000
    /// The number of tokens of a byte-pair tokenizer that is trained on the text.
    public static let trainedVocabularySize = 8192

    /// Creates a request with one thread and default values for all other properties.
    public init(
        source: Source,
        name: String,
        dataFolder: String = "data",
        tokenizer: TokenizerSource? = nil,
        overwrite: Bool = false
    ) {
        self.source = source
        self.name = name
        self.dataFolder = dataFolder
        self.tokenizer = tokenizer
        self.overwrite = overwrite
        seed = Self.defaultSeed
        shardSize = Self.defaultShardSize
        threads = 1
        skipsBad = false
    }

    /// Creates the request of `ddp-train prepare NAME` for a published dataset or the demo corpus.
    ///
    /// - Parameters:
    ///   - dataset: The dataset.
    ///   - copy: The path of a local copy, or nil to use the cache folder or a download.
    ///   - dataFolder: The folder of all datasets.
    ///   - overwrite: Whether to replace an existing dataset of the same name.
    public init(
        _ dataset: NamedDataset,
        copy: String? = nil,
        dataFolder: String = "data",
        overwrite: Bool = false
    ) {
        let source: Source =
            switch dataset {
            case .demo: .demo(seed: DemoCorpus.defaultSeed, characters: DemoCorpus.defaultCharacters)
            default: .published(dataset, copy: copy)
            }
        self.init(
            source: source,
            name: dataset.rawValue,
            dataFolder: dataFolder,
            tokenizer: dataset.tokenizer,
            overwrite: overwrite
        )
    }
}

/// The progress of a preparation.
public struct PreparationProgress: Equatable, Sendable {
    /// The steps of a preparation.
    public enum Stage: String, Sendable {
        case downloading, reading, tokenizing
        /// Counting the pre-tokens of the text to train a tokenizer.
        case counting
        /// Skipping text whose tokens an interrupted preparation already wrote.
        case skipping
    }

    /// The current step.
    public let stage: Stage
    /// The number of bytes processed so far. Compressed files count with their compressed size.
    public let doneBytes: Int
    /// The total number of bytes, or 0 if it is not known.
    public let totalBytes: Int
}

/// The counts of a new dataset.
public struct PreparationResult: Equatable, Sendable {
    /// The number of documents in each split.
    public struct Documents: Equatable, Sendable {
        /// The number of documents for training.
        public let train: Int
        /// The number of documents for validation.
        public let validation: Int
    }

    /// The name of the dataset, for `--dataset`.
    public let name: String
    /// The folder of the dataset.
    public let path: String
    /// The kind of tokenizer: `char`, `byte` or `bpe`.
    public let tokenizer: String
    /// Whether the program chose the tokenizer, because the request had none.
    public let isTokenizerChosen: Bool
    /// The number of ids of the tokenizer.
    public let vocabularySize: Int
    /// The length of the text in bytes, or nil for a dataset that is published as tokens.
    public let textBytes: Int?
    /// The number of tokens for training.
    public let trainTokens: Int
    /// The number of tokens for validation.
    public let validationTokens: Int
    /// The number of documents, or nil for a single text that was split by position.
    public let documents: Documents?
    /// The number of token files.
    public let shards: Int
    /// The number of tokens that an earlier, interrupted run had written.
    public let continuedTokens: Int
}
