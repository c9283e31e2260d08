import Formats
import Platform
import Tokenizers

/// A prepared dataset: two sequences of tokens, and the tokenizer that made them where it is known.
public struct Dataset: Sendable {
    /// The raw value is the split's name in files: train.bin, val.bin.
    public enum Split: String, CaseIterable, Sendable {
        case train
        case validation = "val"
    }

    /// The folder's name, under the data folder.
    public let name: String
    /// The folder it lies in.
    public let path: String
    /// Nil for token files that come without one, such as nanoGPT's own GPT-2 datasets.
    public let tokenizer: (any Tokenizer)?
    /// Ids are below it; the model's where that is smaller, see `limited(toVocabulary:)`.
    public internal(set) var vocabularySize: Int
    /// The tokens to train on.
    public internal(set) var train: TokenSequence
    /// The tokens kept from training.
    public internal(set) var validation: TokenSequence
    /// Identifies the tokens and the tokenizer: SHA-256, the same wherever the dataset lies.
    public let fingerprint: String
    /// The id that ends a document, where one is known.
    public let endOfText: Int32?
    /// Bytes of text that each split was made of, where dataset.json says so.
    let textBytes: [Split: Int]
    /// SHA-256 of each of `files` as dataset.json has it; none without one.
    let recordedHashes: [String]
    /// The source of the text with its known optimum, when this is the demo corpus.
    public let demo: DemoCorpus?
    /// What the user should know about it, a line each.
    public let notices: [String]

    /// Tokens of GPT-2's vocabulary.
    public static let gpt2VocabularySize = 50257
    /// nanoGPT's vocabulary where a dataset says nothing: GPT-2's, padded to a multiple of 64.
    public static let defaultVocabularySize = 50304
    /// What ids of Llama 3 are below: 128,000 tokens of text and 256 special ones.
    static let llama3VocabularySize = 128_256
    /// `<|endoftext|>`.
    package static let gpt2EndOfText: Int32 = 50256
    /// `<|begin_of_text|>`, which llm.c puts between documents.
    static let llama3EndOfText: Int32 = 128_000

    /// `train` or `validation`.
    public func sequence(of split: Split) -> TokenSequence {
        switch split {
        case .train: train
        case .validation: validation
        }
    }

    /// The files of all splits, those of training first.
    var files: [TokenFile] { train.files + validation.files }

    /// Opens `folder/name`: by its dataset.json; else as nanoGPT does, by its meta.pkl; else as GPT-2 tokens, or Llama 3's where
    /// the files say so. Without dataset.json the tokens are in train.bin and val.bin, or in shards (.bin or .npy) with train and
    /// val in their names, in the order of these.
    ///
    /// The validation split may be missing or empty: see `nothingToScore(in:)`.
    ///
    /// Ids are checked as they are read; `TokenCheck` reads all of them.
    ///
    /// - Throws: `UserError(.data)` when it is missing (with the command that makes it), or its parts do not fit together;
    ///   `UserError(.usage)` for what is no name; `UserError(.inputOutput)` when a file cannot be read.
    public static func open(folder: String, name: String) throws -> Dataset {
        if isDataset(name), name.contains("/") { throw mistakenForName(path: name) }
        try checkName(name)
        let path = folder + "/" + name
        guard FileSystem.kind(of: path) == .folder else {
            throw isDataset(folder) ? mistakenForDataFolder(folder) : missing(name, folder: folder)
        }
        let descriptionPath = path + "/" + DatasetDescription.fileName
        if FileSystem.kind(of: descriptionPath) != nil {
            return try Dataset(name: name, path: path, description: DatasetDescription(path: descriptionPath))
        }
        return try Dataset(tokenFolder: path, name: name)
    }

    // MARK: - What is no name of a dataset

    /// Whether a path is a folder with tokens, as far as its names tell.
    private static func isDataset(_ path: String) -> Bool {
        guard FileSystem.kind(of: path) == .folder else { return false }
        return FileSystem.kind(of: path + "/" + DatasetDescription.fileName) == .file
            || !((try? tokenFiles(of: .train, folder: path).names) ?? []).isEmpty
    }

    private static func mistakenForName(path: String) -> UserError {
        UserError(.usage, "a data set is given by its name, not by its path \(path): \(options(forPath: path))")
    }

    private static func mistakenForDataFolder(_ path: String) -> UserError {
        UserError(.data, "\(path) is a data set, not a folder of data sets: \(options(forPath: path))")
    }

    private static func options(forPath path: String) -> String {
        "say --data_dir=\(FileSystem.folder(of: path)) --dataset=\(FileSystem.lastComponent(of: path))"
    }

    /// With the command that makes it, and with the dataset that may have been meant.
    private static func missing(_ name: String, folder: String) -> UserError {
        let prepared = ((try? FileSystem.names(inFolder: folder)) ?? []).filter { isDataset(folder + "/" + $0) }
        let named = NamedDataset.allCases.map(\.rawValue)
        let isNamed = named.contains(name)
        let command = isNamed ? "prepare \(name)" : "prepare --input FILE --name \(name)"
        let place = folder == "data" ? "" : " --data_dir \(folder)"
        let hint = isNamed ? "" : NearestName.hint(for: name, among: Set(prepared + named))
        return UserError(
            .data,
            "there is no data set \(name) in \(folder): make it with `ddp-train \(command)\(place)`\(hint)"
        )
    }

    /// A name is one part of a path, so that a dataset stays in its data folder.
    package static func checkName(_ name: String) throws {
        guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/") else {
            throw UserError(
                .usage,
                "\"\(name)\" is no name for a data set: it needs characters, no / and no . at its start"
            )
        }
    }

    // MARK: - Described by dataset.json

    private init(name: String, path: String, description: DatasetDescription) throws {
        guard let elementType = TokenFile.ElementType(rawValue: description.elementType) else {
            let known = TokenFile.ElementType.allCases.map(\.rawValue).joined(separator: " and ")
            throw UserError(
                .data,
                "\(path) has tokens of type \(description.elementType); this program reads \(known)"
            )
        }
        let tokenizer = try TokenizerFile.load(folder: path)
        guard tokenizer.vocabularySize == description.vocabularySize,
            try Checksum.sha256(ofFile: path + "/" + TokenizerFile.name) == description.tokenizer.sha256
        else {
            throw UserError(
                .data,
                """
                \(path)/\(TokenizerFile.name) is not the tokenizer that made this data set (its hash differs from the \
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
                \(path) was made with another grammar than this program's, so that its optimum is not known here; \
                `ddp-train prepare demo --overwrite` makes it anew
                """
            return (nil, [notice])
        }
        return (DemoCorpus(tokenizer: tokenizer), [])
    }
}

extension Dataset {
    /// The same data for a model that knows fewer tokens; ids beyond them are refused where they occur.
    ///
    /// A dataset without a tokenizer is taken to have nanoGPT's padded vocabulary, of which it uses less.
    /// - Throws: `UserError(.usage)` when a tokenizer makes more tokens than that.
    public func limited(toVocabulary size: Int) throws -> Dataset {
        guard size < vocabularySize else { return self }
        guard tokenizer == nil else {
            throw UserError(
                .usage,
                """
                data set \(name) has \(vocabularySize) different tokens, the model only \(size): prepare it with the \
                model's tokenizer
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
