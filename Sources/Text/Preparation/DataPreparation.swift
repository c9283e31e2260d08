import Formats

/// What to prepare.
public struct PreparationRequest: Equatable, Sendable {
    public enum Source: Equatable, Sendable {
        /// The user's text files, one after the other.
        case files([String])
        /// nanoGPT's shakespeare_char: the text from a copy that is named, the cache, or a download.
        case shakespeareChar(copy: String?)
        /// Text of the demo's grammar.
        case demo(seed: UInt64, characters: Int)
    }

    public enum TokenizerChoice: String, CaseIterable, Sendable { case char, byte }

    public var source: Source
    /// The data set becomes the folder `dataFolder/name`.
    public var name: String
    public var dataFolder: String
    /// Nil chooses: characters, up to 2 MB of text.
    public var tokenizer: TokenizerChoice?
    /// Whether a data set of that name may be replaced.
    public var overwrite: Bool

    public init(
        source: Source,
        name: String,
        dataFolder: String = "data",
        tokenizer: TokenizerChoice? = nil,
        overwrite: Bool = false
    ) {
        self.source = source
        self.name = name
        self.dataFolder = dataFolder
        self.tokenizer = tokenizer
        self.overwrite = overwrite
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
            case .shakespeareChar: .shakespeareChar(copy: copy)
            case .demo: .demo(seed: DemoCorpus.defaultSeed, characters: DemoCorpus.defaultCharacters)
            }
        self.init(source: source, name: dataset.rawValue, dataFolder: dataFolder, overwrite: overwrite)
    }
}

/// How far a preparation is.
public struct PreparationProgress: Equatable, Sendable {
    public enum Stage: String, Sendable { case downloading, reading, tokenizing }

    public let stage: Stage
    public let doneBytes: Int
    public let totalBytes: Int
}

/// What was prepared.
public struct PreparationResult: Equatable, Sendable {
    public let name: String
    /// The data set's folder.
    public let path: String
    /// `char` or `byte`.
    public let tokenizer: String
    /// Whether the program chose the tokenizer.
    public let isTokenizerChosen: Bool
    public let vocabularySize: Int
    public let textBytes: Int
    public let trainTokens: Int
    public let validationTokens: Int
}

/// Makes data sets: token files, their tokenizer, and dataset.json, in a folder that appears when all of it is there.
public struct DataPreparation {
    /// Text up to this many bytes is tokenized by characters unless the user says otherwise.
    public static let characterLimit = 2_000_000

    /// Share of the tokens, from the start of the text, that are trained on.
    static let trainShare = 0.9

    private let request: PreparationRequest
    private let progress: (PreparationProgress) -> Void
    /// Nil for the user's own.
    private let cacheFolder: String?
    private let shakespeare: PublicFile

    /// Carries out a request.
    ///
    /// - Parameters:
    ///   - cacheFolder: where downloads are kept; nil for `CacheFolder.path()`.
    ///   - progress: called after each piece of work.
    /// - Throws: `UserError`: `.usage` for a request that cannot be carried out, a data set that is there already, or large
    ///   text without a tokenizer; `.data` for text that is empty, too short, or not UTF-8 (with the byte), and files with
    ///   a wrong hash; `.inputOutput` for what cannot be read, written or downloaded. Nothing half-made is left.
    public static func run(
        _ request: PreparationRequest,
        cacheFolder: String? = nil,
        progress: @escaping (PreparationProgress) -> Void = { _ in }
    ) throws -> PreparationResult {
        try DataPreparation(request: request, cacheFolder: cacheFolder, progress: progress).run()
    }

    init(
        request: PreparationRequest,
        cacheFolder: String?,
        shakespeare: PublicFile = .tinyShakespeare,
        progress: @escaping (PreparationProgress) -> Void
    ) {
        self.request = request
        self.cacheFolder = cacheFolder
        self.shakespeare = shakespeare
        self.progress = progress
    }

    func run() throws -> PreparationResult {
        try Dataset.checkName(request.name)
        let path = request.dataFolder + "/" + request.name
        try checkPlace(path)
        let source = try source()
        let plan = try plan(source)
        let total = source.byteCount
        let trainCount = Int(Double(plan.tokenCount) * Self.trainShare)
        guard min(trainCount, plan.tokenCount - trainCount) >= 2 else {
            throw UserError(
                .data,
                "the text has only \(plan.tokenCount) tokens: too few to train on and to validate with"
            )
        }

        let folder = try AtomicFolder(path: path)
        var writer = try SplitWriter(folder: folder.temporaryPath, trainCount: trainCount)
        var ids: [Int32] = []
        var done = 0
        try source.forEachPiece { piece in
            ids.removeAll(keepingCapacity: true)
            try plan.tokenizer.encode(piece, into: &ids)
            try writer.append(ids)
            done += piece.count
            progress(.init(stage: .tokenizing, doneBytes: done, totalBytes: total))
        }
        let (train, validation) = try writer.commit()
        try TokenizerFile.save(plan.tokenizer, folder: folder.temporaryPath)
        let description = description(source, tokenizer: plan.tokenizer, train: train, validation: validation)
        try AtomicFile.write(description.text, to: folder.temporaryPath + "/" + DatasetDescription.fileName)
        try folder.commit(replacing: request.overwrite)
        return PreparationResult(
            name: request.name,
            path: path,
            tokenizer: plan.tokenizer.name,
            isTokenizerChosen: request.tokenizer == nil,
            vocabularySize: plan.tokenizer.vocabularySize,
            textBytes: total,
            trainTokens: train.tokens,
            validationTokens: validation.tokens
        )
    }

    /// Whether the data set may be written there: nothing that is there may be lost but an old data set.
    private func checkPlace(_ path: String) throws {
        guard let kind = FileSystem.kind(of: path) else { return }
        guard request.overwrite else {
            throw UserError(.usage, "\(path) exists already: choose another --name, or replace it with --overwrite")
        }
        guard kind == .folder else {
            throw UserError(.usage, "\(path) is no data set but a file: choose another --name, or move it away")
        }
        let ours = [
            DatasetDescription.fileName, TokenizerFile.name, NanoGPTMeta.fileName, TokenCheck.fileName, ".DS_Store",
        ]
        if let other = try FileSystem.names(inFolder: path).first(where: { !ours.contains($0) && !$0.hasSuffix(".bin") }
        ) {
            throw UserError(
                .usage,
                """
                \(path) has other files than a data set's, such as \(other): choose another --name or --data_dir, or move \
                them away
                """
            )
        }
    }

    private func source() throws -> TextSource {
        switch request.source {
        case .files(let paths):
            guard !paths.isEmpty else {
                throw UserError(.usage, "there is no text to prepare: name files with --input")
            }
            return try TextSource(paths: paths)
        case .shakespeareChar(let copy):
            try checkCharacters()
            let download = Download(file: shakespeare, cacheFolder: try cacheFolder ?? CacheFolder.path())
            let path = try download.locate(copy: copy) { bytes in
                progress(.init(stage: .downloading, doneBytes: bytes, totalBytes: shakespeare.byteCount))
            }
            return try TextSource(paths: [path])
        case .demo(let seed, let characters):
            try checkCharacters()
            guard characters > 0 else {
                throw UserError(.usage, "a demo corpus of \(characters) characters: it needs some")
            }
            return .demo(seed: seed, characters: characters)
        }
    }

    private func checkCharacters() throws {
        guard request.tokenizer != .byte else {
            throw UserError(
                .usage,
                "\(request.name) is a data set of characters; --tokenizer=byte goes with --input FILE --name NAME"
            )
        }
    }

    private func plan(_ source: TextSource) throws -> (tokenizer: any Tokenizer, tokenCount: Int) {
        guard case .files(let files) = source else {
            return (DemoCorpus.tokenizer, source.byteCount)
        }
        let total = source.byteCount
        if request.tokenizer == .byte { return (ByteTokenizer(), total) }
        guard request.tokenizer == .char || total <= Self.characterLimit else {
            throw UserError(
                .usage,
                """
                the text has \(total) bytes; up to \(Self.characterLimit) it is tokenized by characters, above that say \
                how: --tokenizer=char or --tokenizer=byte
                """
            )
        }
        var survey = CharacterSurvey()
        var done = 0
        for file in files {
            try survey.add(file.bytes, source: file.path) { bytes in
                done += bytes
                progress(.init(stage: .reading, doneBytes: done, totalBytes: total))
            }
        }
        let scalars = survey.scalars
        guard scalars.count <= TokenFile.largestVocabulary else {
            throw UserError(
                .data,
                """
                the text has \(scalars.count) different characters, and token files hold at most \
                \(TokenFile.largestVocabulary): use --tokenizer=byte
                """
            )
        }
        return (CharacterTokenizer(scalars: scalars), survey.characterCount)
    }

    private func description(
        _ source: TextSource,
        tokenizer: any Tokenizer,
        train: DatasetDescription.File,
        validation: DatasetDescription.File
    ) -> DatasetDescription {
        var demo: DatasetDescription.Demo?
        if case .demo(let seed, let characters) = request.source {
            demo = .init(seed: seed, characters: characters, grammar: DemoCorpus.grammarHash)
        }
        return DatasetDescription(
            name: request.name,
            tokenizer: .init(
                kind: tokenizer.name,
                file: TokenizerFile.name,
                sha256: TokenizerFile.hash(of: tokenizer)
            ),
            vocabularySize: tokenizer.vocabularySize,
            elementType: TokenFile.elementType,
            train: [train],
            validation: [validation],
            trainShare: Self.trainShare,
            sources: source.description,
            demo: demo
        )
    }
}
