import Formats

/// A prepared data set: two sequences of tokens, and the tokenizer that made them where it is known.
public struct Dataset: Sendable {
    public enum Split: String, CaseIterable, Sendable {
        case train
        case validation = "val"
    }

    public let name: String
    /// The folder it lies in.
    public let path: String
    /// Nil for token files that come without one, such as nanoGPT's own GPT-2 data sets.
    public let tokenizer: (any Tokenizer)?
    public private(set) var vocabularySize: Int
    public private(set) var train: TokenSequence
    public private(set) var validation: TokenSequence
    /// Identifies the tokens and the tokenizer: SHA-256, the same wherever the data set lies.
    public let fingerprint: String
    /// The source of the text with its known optimum, when this is the demo corpus.
    public let demo: DemoCorpus?
    /// What the user should know about it, a line each.
    public let notices: [String]

    /// nanoGPT's vocabulary where a data set says nothing: GPT-2's 50257, padded to a multiple of 64.
    public static let defaultVocabularySize = 50304

    public func sequence(of split: Split) -> TokenSequence {
        switch split {
        case .train: train
        case .validation: validation
        }
    }

    /// Opens `folder/name`: by its dataset.json; else as nanoGPT does, by its meta.pkl; else as GPT-2 tokens.
    ///
    /// - Throws: `UserError(.data)` when it is missing (with the command that makes it), or its parts do not fit together.
    public static func open(folder: String, name: String) throws -> Dataset {
        try checkName(name)
        let path = folder + "/" + name
        guard FileSystem.kind(of: path) == .folder else {
            let known = NamedDataset(rawValue: name) != nil
            let command = known ? "prepare \(name)" : "prepare --input FILE --name \(name)"
            let place = folder == "data" ? "" : " --data_dir \(folder)"
            throw UserError(
                .data,
                "there is no data set \(name) in \(folder): make it with `ddp-train \(command)\(place)`"
            )
        }
        let descriptionPath = path + "/" + DatasetDescription.fileName
        if FileSystem.kind(of: descriptionPath) != nil {
            return try Dataset(name: name, path: path, description: DatasetDescription(path: descriptionPath))
        }
        return try Dataset(nanoGPTFolder: path, name: name)
    }

    /// A name is one part of a path, so that a data set stays in its data folder.
    static func checkName(_ name: String) throws {
        guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/") else {
            throw UserError(
                .usage,
                "\"\(name)\" is no name for a data set: it needs characters, no / and no . at its start"
            )
        }
    }

    // MARK: - Described by dataset.json

    private init(name: String, path: String, description: DatasetDescription) throws {
        guard description.elementType == TokenFile.elementType else {
            throw UserError(
                .data,
                "\(path) has tokens of type \(description.elementType); this program reads \(TokenFile.elementType)"
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
                one in \(DatasetDescription.fileName)); prepare the data set again
                """
            )
        }
        func sequence(_ files: [DatasetDescription.File], _ split: Split) throws -> TokenSequence {
            guard files.count == 1 else {
                throw UserError(
                    .data,
                    "\(path): split \(split.rawValue) has \(files.count) files; this program reads one"
                )
            }
            let file = try TokenFile(path: path + "/" + files[0].name, expectedCount: files[0].tokens)
            return try TokenSequence(file: file, vocabularySize: description.vocabularySize)
        }
        self.name = name
        self.path = path
        self.tokenizer = tokenizer
        vocabularySize = description.vocabularySize
        train = try sequence(description.train, .train)
        validation = try sequence(description.validation, .validation)
        fingerprint = description.fingerprint
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

    // MARK: - As nanoGPT leaves them

    private init(nanoGPTFolder path: String, name: String) throws {
        let metaPath = path + "/" + NanoGPTMeta.fileName
        let meta = FileSystem.kind(of: metaPath) == nil ? nil : try NanoGPTMeta(path: metaPath)
        let size = meta?.vocabularySize ?? Self.defaultVocabularySize
        let files = try ["train.bin", "val.bin"].map { file in
            guard FileSystem.kind(of: path + "/" + file) != nil else {
                throw UserError(.data, "\(path) has no \(file): it is no data set, or half of one; prepare it again")
            }
            return try TokenFile(path: path + "/" + file)
        }
        self.name = name
        self.path = path
        tokenizer = meta?.tokenizer
        vocabularySize = size
        train = try TokenSequence(file: files[0], vocabularySize: size)
        validation = try TokenSequence(file: files[1], vocabularySize: size)
        let tokenizerHash = meta?.tokenizer.map { TokenizerFile.hash(of: $0) } ?? "none"
        let fingerprints = files.map(\.fingerprint).joined(separator: " ")
        fingerprint = Checksum.sha256(of: "\(size) \(tokenizerHash) \(fingerprints)")
        demo = nil
        notices = []
    }
}

extension Dataset {
    /// The same data for a model that knows fewer tokens; ids beyond them are refused where they occur.
    ///
    /// A data set without a tokenizer is taken to have nanoGPT's padded vocabulary, of which it uses less.
    /// - Throws: `UserError(.usage)` when a tokenizer makes more tokens than that; `UserError(.data)` when an id is beyond it.
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
        limited.train = try TokenSequence(file: TokenFile(path: train.source), vocabularySize: size)
        limited.validation = try TokenSequence(file: TokenFile(path: validation.source), vocabularySize: size)
        return limited
    }
}
