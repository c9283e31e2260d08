import Formats
import Platform
import Tokenizers

/// A prepared dataset: the tokens of two splits, and the tokenizer that made them if it is known.
public struct Dataset: Sendable {
    /// A part of a dataset. The raw value occurs in file names such as train.bin and val.bin.
    public enum Split: String, CaseIterable, Sendable {
        case train
        case validation = "val"
    }

    /// The name of the dataset's folder within the data folder.
    public let name: String
    /// The path of the dataset's folder.
    public let path: String
    /// Nil for token files without a tokenizer, such as nanoGPT's GPT-2 datasets.
    public let tokenizer: (any Tokenizer)?
    /// All ids are below this number. `limited(toVocabulary:)` can reduce it to the model's.
    public internal(set) var vocabularySize: Int
    /// The tokens to train on.
    public internal(set) var train: TokenSequence
    /// The tokens for validation, which are not trained on.
    public internal(set) var validation: TokenSequence
    /// A SHA-256 hash that identifies tokens and tokenizer, independent of name and path.
    public let fingerprint: String
    /// The id that ends a document; nil if unknown.
    public let endOfText: Int32?
    /// The size of each split's text in bytes, if dataset.json has it.
    let textBytes: [Split: Int]
    /// The SHA-256 of each of `files` in dataset.json; empty without a dataset.json.
    let recordedHashes: [String]
    /// The source of the text, which knows the lowest possible loss; nil unless this is the demo corpus.
    public let demo: DemoCorpus?
    /// Messages for the user, one line each.
    public let notices: [String]

    /// The number of tokens in GPT-2's vocabulary.
    public static let gpt2VocabularySize = 50257
    /// The vocabulary size of a dataset that does not define it, as in nanoGPT: GPT-2's, padded to a multiple of 64.
    public static let defaultVocabularySize = 50304
    /// Llama 3's vocabulary: 128,000 text tokens and 256 special tokens.
    static let llama3VocabularySize = 128_256
    /// The id of `<|endoftext|>`.
    package static let gpt2EndOfText: Int32 = 50256
    /// The id of `<|begin_of_text|>`, which llm.c writes between documents.
    static let llama3EndOfText: Int32 = 128_000

    /// The tokens of a split.
    public func sequence(of split: Split) -> TokenSequence {
        switch split {
        case .train: train
        case .validation: validation
        }
    }

    /// The files of all splits, training files first.
    var files: [TokenFile] { train.files + validation.files }

    /// Opens the dataset in `folder/name`.
    ///
    /// If the folder has a dataset.json, it describes the dataset. Otherwise the tokens are in train.bin and val.bin,
    /// or in shards (.bin or .npy) with train or val in their names, in alphabetical order. Their vocabulary is that of
    /// meta.pkl, as in nanoGPT. Without meta.pkl the ids are assumed to be GPT-2's, or Llama 3's if the headers of the
    /// files say so.
    ///
    /// The validation split may be missing or empty: see `nothingToScore(in:)`. Ids are checked when they are read.
    /// `TokenCheck` checks all of them in advance.
    ///
    /// - Parameters:
    ///   - folder: the data folder.
    ///   - name: the dataset's name, which is the name of its folder.
    /// - Throws: `UserError(.data)` if the dataset is missing (with the command that prepares it), damaged or
    ///   inconsistent; `UserError(.usage)` if the name is invalid; `UserError(.inputOutput)` if a file cannot be read.
    public static func open(folder: String, name: String) throws -> Dataset {
        if isDataset(name), name.contains("/") { throw pathGivenAsName(path: name) }
        try checkName(name)
        let path = folder + "/" + name
        guard FileSystem.kind(of: path) == .folder else {
            throw isDataset(folder) ? datasetGivenAsDataFolder(folder) : missing(name, folder: folder)
        }
        let descriptionPath = path + "/" + DatasetDescription.fileName
        if FileSystem.kind(of: descriptionPath) != nil {
            return try Dataset(name: name, path: path, description: DatasetDescription(path: descriptionPath))
        }
        return try Dataset(tokenFolder: path, name: name)
    }

    // MARK: - Wrong names

    /// Whether a path is a folder with a dataset.json or token files.
    private static func isDataset(_ path: String) -> Bool {
        guard FileSystem.kind(of: path) == .folder else { return false }
        return FileSystem.kind(of: path + "/" + DatasetDescription.fileName) == .file
            || !((try? tokenFiles(of: .train, folder: path).names) ?? []).isEmpty
    }

    private static func pathGivenAsName(path: String) -> UserError {
        UserError(.usage, "\(path) is the path of a dataset, but its name is needed: use \(options(forPath: path))")
    }

    private static func datasetGivenAsDataFolder(_ path: String) -> UserError {
        UserError(.data, "\(path) is a dataset, not a folder of datasets: use \(options(forPath: path))")
    }

    private static func options(forPath path: String) -> String {
        "--data_dir=\(FileSystem.folder(of: path)) --dataset=\(FileSystem.lastComponent(of: path))"
    }

    /// The error for a missing dataset, with the command that prepares it and a similar existing name.
    private static func missing(_ name: String, folder: String) -> UserError {
        let prepared = ((try? FileSystem.names(inFolder: folder)) ?? []).filter { isDataset(folder + "/" + $0) }
        let named = NamedDataset.allCases.map(\.rawValue)
        let isNamed = named.contains(name)
        let command = isNamed ? "prepare \(name)" : "prepare --input FILE --name \(name)"
        let place = folder == "data" ? "" : " --data_dir \(folder)"
        let hint = isNamed ? "" : NearestName.hint(for: name, among: Set(prepared + named))
        return UserError(
            .data,
            "there is no dataset \(name) in \(folder): prepare it with `ddp-train \(command)\(place)`\(hint)"
        )
    }

    /// Checks that a name is a single path component, so that a dataset is always inside its data folder.
    package static func checkName(_ name: String) throws {
        guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/") else {
            throw UserError(
                .usage,
                "\"\(name)\" is not a valid dataset name: a name must not be empty, contain / or start with ."
            )
        }
    }

    // MARK: - Datasets with dataset.json

    private init(name: String, path: String, description: DatasetDescription) throws {
        guard let elementType = TokenFile.ElementType(rawValue: description.elementType) else {
            let known = TokenFile.ElementType.allCases.map(\.rawValue).joined(separator: " and ")
            throw UserError(
                .data,
                "\(path) has tokens of type \(description.elementType), but only \(known) are supported"
            )
        }
        let tokenizer = try TokenizerFile.load(folder: path)
        guard tokenizer.vocabularySize == description.vocabularySize,
            try Checksum.sha256(ofFile: path + "/" + TokenizerFile.name) == description.tokenizer.sha256
        else {
            throw UserError(
                .data,
                """
                \(path)/\(TokenizerFile.name) is not the tokenizer that made this dataset (its hash differs from the \
                one in \(DatasetDescription.fileName)); prepare the dataset again
                """
            )
        }
        func sequence(_ files: [DatasetDescription.File], _ split: Split) throws -> TokenSequence {
            guard split == .validation || files.contains(where: { $0.tokens > 0 }) else {
                throw UserError(.data, "\(path): split \(split.rawValue) has no tokens; prepare the dataset again")
            }
            let files = try files.map {
                try TokenFile(path: path + "/" + $0.name, elementType: elementType, expectedCount: $0.tokens)
            }
            return TokenSequence(files: files, vocabularySize: description.vocabularySize)
        }
        self.name = name
        self.path = path
        self.tokenizer = tokenizer
        vocabularySize = description.vocabularySize
        train = try sequence(description.train, .train)
        validation = try sequence(description.validation, .validation)
        fingerprint = description.fingerprint
        endOfText = tokenizer.endOfText
        textBytes = [.train: description.trainText?.bytes, .validation: description.validationText?.bytes]
            .compactMapValues {
                $0
            }
        recordedHashes = (description.train + description.validation).map(\.sha256)
        (demo, notices) = Self.demo(of: description, path: path, tokenizer: tokenizer)
    }

    private static func demo(
        of description: DatasetDescription,
        path: String,
        tokenizer: any Tokenizer
    ) -> (DemoCorpus?, notices: [String]) {
        guard let made = description.demo, let tokenizer = tokenizer as? CharacterTokenizer else { return (nil, []) }
        guard made.grammar == DemoCorpus.grammarHash else {
            let notice = """
                \(path) was made with the grammar of a different version, so its lowest possible loss is unknown; run \
                `ddp-train prepare demo --overwrite` to make it again
                """
            return (nil, [notice])
        }
        return (DemoCorpus(tokenizer: tokenizer), [])
    }
}

extension Dataset {
    /// The same data for a model with a smaller vocabulary. Reading an id that is not below `size` throws an error.
    ///
    /// - Parameter size: the model's vocabulary size.
    /// - Throws: `UserError(.usage)` if the dataset has a tokenizer with more than `size` tokens. A dataset without a
    ///   tokenizer has nanoGPT's padded vocabulary and may use only a part of it.
    public func limited(toVocabulary size: Int) throws -> Dataset {
        guard size < vocabularySize else { return self }
        guard tokenizer == nil else {
            throw UserError(
                .usage,
                """
                dataset \(name) has \(vocabularySize) different tokens, but the model only \(size): prepare it with \
                the model's tokenizer
                """
            )
        }
        var limited = self
        limited.vocabularySize = size
        limited.train = train.limited(toVocabulary: size)
        limited.validation = validation.limited(toVocabulary: size)
        return limited
    }
}
