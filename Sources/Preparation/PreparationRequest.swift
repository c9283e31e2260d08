import Datasets
import Platform

/// What to prepare.
public struct PreparationRequest: Equatable, Sendable {
    /// Where the text comes from.
    public enum Source: Equatable, Sendable {
        /// The user's own: files, folders, patterns, and "-" for standard input.
        case inputs([FilePath])
        /// A published text: from a copy that the user names, the cache, or by download.
        case published(NamedDataset, copy: String?)
        /// Text of the demo's grammar.
        case demo(seed: UInt64, characters: Int)

        /// The user's own, by paths in UTF-8.
        public static func inputs(_ paths: [String]) -> Source { .inputs(paths.map { FilePath($0) }) }
    }

    /// What is prepared.
    public var source: Source
    /// The dataset becomes the folder `dataFolder/name`.
    public var name: String
    /// The folder of all datasets.
    public var dataFolder: String
    /// Nil chooses: characters up to 2 MB of text, above it byte pairs that are trained on the text.
    public var tokenizer: TokenizerSource?
    /// Whether text that looks like a special token, such as `<|endoftext|>`, stands for it.
    public var recognizesSpecialTokens = false
    /// What stands between the documents of a plain text.
    public var separator: String?
    /// The field of JSONL that is the text; nil for "text", in files that are JSONL by their names or their content.
    public var field: String?
    /// Whether bad lines of JSONL, and files that are not text, are passed over, with a notice.
    public var skipsBad: Bool
    /// Share of the documents that is for validation; nil for `defaultValidationShare`, or `validationShareForFewDocuments` where that
    /// gives none, or a few short ones.
    public var validationShare: Double?
    /// Of the hash that chooses those documents.
    public var seed: UInt64
    /// Tokens of a shard.
    public var shardSize: Int
    /// Of a dataset that is published as shards: how many for training; nil for all.
    public var publishedShards: Int?
    /// Worker threads that read and tokenize, at least 1.
    public var threads: Int
    /// Whether a dataset of that name may be replaced.
    public var overwrite: Bool

    /// nanoGPT's, for openwebtext.
    public static let defaultValidationShare = 0.0005
    /// Where the default gives no document for validation, or a few short ones, as there are few.
    public static let validationShareForFewDocuments = 0.1
    /// nanoGPT's, for openwebtext.
    public static let defaultSeed: UInt64 = 2357
    /// Tokens: 200 MB at two bytes each.
    public static let defaultShardSize = 100_000_000
    /// Tokens of a tokenizer that is trained on the text.
    public static let trainedVocabularySize = 8192

    /// One thread, and the defaults of everything that is not named here.
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

    /// The request behind `prepare NAME`.
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

/// How far a preparation is.
public struct PreparationProgress: Equatable, Sendable {
    /// What a preparation is at.
    public enum Stage: String, Sendable {
        case downloading, reading, tokenizing
        /// Counting what the text has, for a tokenizer of its own.
        case counting
        /// Passing over what an interrupted preparation wrote.
        case skipping
    }

    /// What goes on now.
    public let stage: Stage
    /// Of the files, compressed ones as they are.
    public let doneBytes: Int
    /// 0 where it is not known.
    public let totalBytes: Int
}

/// What was prepared.
public struct PreparationResult: Equatable, Sendable {
    /// Documents of each split.
    public struct Documents: Equatable, Sendable {
        /// For training.
        public let train: Int
        /// For validation.
        public let validation: Int
    }

    /// The dataset's, which `--dataset` takes.
    public let name: String
    /// The dataset's folder.
    public let path: String
    /// `char`, `byte` or `bpe`.
    public let tokenizer: String
    /// Whether the program chose the tokenizer.
    public let isTokenizerChosen: Bool
    /// Ids are below it.
    public let vocabularySize: Int
    /// Nil for a dataset that is published as tokens.
    public let textBytes: Int?
    /// Tokens of the training split.
    public let trainTokens: Int
    /// Tokens of the validation split.
    public let validationTokens: Int
    /// Documents of both splits; nil for one text that was cut in two.
    public let documents: Documents?
    /// Files of tokens.
    public let shards: Int
    /// Tokens that an interrupted preparation had written.
    public let continuedTokens: Int
}
