import Platform

/// Makes data sets: token files, their tokenizer, and dataset.json, in a folder that appears when all of it is there.
///
/// What an interrupted preparation wrote is kept beside the data set's place, and the same preparation goes on from there.
public struct DataPreparation {
    /// Text up to this many bytes is tokenized by characters unless the user says otherwise.
    public static let characterLimit = 2_000_000

    /// Whether this build has libarchive, which reads compressed files and archives.
    public static var readsArchives: Bool { ArchiveStream.isBuiltIn }

    private let request: PreparationRequest
    private let progress: (PreparationProgress) -> Void
    /// Nil for the user's own.
    private let cacheFolder: String?
    /// Published files in the place of the real ones, for tests.
    private let files: [PublicFile]?
    private let announce: (String) -> Void

    /// Carries out a request.
    ///
    /// - Parameters:
    ///   - cacheFolder: where downloads are kept; nil for `CacheFolder.path()`.
    ///   - progress: called after each piece of work.
    ///   - announce: told before it starts what a published data set takes.
    /// - Throws: `UserError`: `.usage` for a request that cannot be carried out, or a data set that is there already; `.data`
    ///   for text that is empty, too short, or not UTF-8 (with the byte), damaged archives, and files with a wrong hash;
    ///   `.inputOutput` for what cannot be read, written or downloaded. Nothing half-made is left, unless it is worth going on
    ///   from; the error says so then.
    public static func run(
        _ request: PreparationRequest,
        cacheFolder: String? = nil,
        progress: @escaping (PreparationProgress) -> Void = { _ in },
        announce: @escaping (String) -> Void = { _ in }
    ) throws -> PreparationResult {
        try DataPreparation(request: request, cacheFolder: cacheFolder, progress: progress, announce: announce).run()
    }

    init(
        request: PreparationRequest,
        cacheFolder: String?,
        files: [PublicFile]? = nil,
        progress: @escaping (PreparationProgress) -> Void,
        announce: @escaping (String) -> Void = { _ in }
    ) {
        self.request = request
        self.cacheFolder = cacheFolder
        self.files = files
        self.announce = announce
        self.progress = progress
    }

    func run() throws -> PreparationResult {
        try Dataset.checkName(request.name)
        let path = request.dataFolder + "/" + request.name
        try checkPlace(path)
        if case .published(.fineweb, let copy) = request.source {
            return try PublishedShards(
                request: request,
                files: files ?? NamedDataset.fineweb.files,
                cacheFolder: cacheFolder,
                progress: progress,
                announce: announce
            ).prepare(copy: copy, to: path)
        }
        var corpus = try corpus()
        var folder: AtomicFolder?
        do {
            if corpus.readsStandardInput, corpus.isOneText || readsTextFirst {
                let kept = try AtomicFolder(continuing: path)
                folder = kept
                try corpus.keepStandardInput(in: kept.temporaryPath + "/" + Self.keptInput) { bytes in
                    progress(.init(stage: .reading, doneBytes: bytes, totalBytes: 0))
                }
            }
            let plan = try PreparationPlan(
                request: request,
                corpus: corpus,
                cacheFolder: cacheFolder,
                progress: progress
            )
            let kept = try folder ?? AtomicFolder(continuing: path)
            folder = kept
            return try write(plan, to: kept)
        } catch let error where !((error as? Interrupted)?.isKept ?? false) {
            try? folder?.discard()
            throw (error as? Interrupted)?.cause ?? error
        } catch let error as Interrupted {
            throw error.described
        }
    }

    private static let keptInput = "input"

    /// Whether the tokenizer is made of the text.
    private var readsTextFirst: Bool { request.tokenizer == nil || request.tokenizer == .char }

    // MARK: - Writing

    /// Whether no figure can be made of a split: no document, or a few short ones.
    private static func isTooLittle(_ validation: ShardWriter.State) -> Bool {
        validation.documents == 0
            || validation.documents < leastValidation.documents && validation.tokens < leastValidation.tokens
    }

    private static let leastValidation = (documents: 10, tokens: 10_000)

    private func write(_ plan: PreparationPlan, to folder: AtomicFolder) throws -> PreparationResult {
        var plan = plan
        var run = try tokenize(plan, to: folder)
        if Self.isTooLittle(run.state.validation), request.validationShare == nil, !plan.corpus.readsStandardInput,
            let few = plan.forFewDocuments
        {
            // Few documents are tokenized quickly: once more, with another share of them for validation. Standard input that
            // was not kept cannot be read again; the error below says what to do.
            plan = few
            run = try tokenize(plan, to: folder)
        }
        let (state, sources) = (run.state, run.sources)
        try check(state, plan)
        let statePath = folder.temporaryPath + "/" + PreparationState.fileName
        let savedState = try? FileSystem.read(statePath)
        do {
            try TokenizerFile.save(plan.tokenizer, folder: folder.temporaryPath)
            let description = description(plan, state: state, sources: sources)
            try AtomicFile.write(description.text, to: folder.temporaryPath + "/" + DatasetDescription.fileName)
            for name in [PreparationState.fileName, Self.keptInput] {
                try FileSystem.remove(folder.temporaryPath + "/" + name)
            }
            try folder.commit(replacing: request.overwrite)
        } catch {
            // The disk is full, say, or something has the name meanwhile: hours of tokens are not to go with it.
            if let savedState, FileSystem.kind(of: statePath) == nil {
                try? AtomicFile.write(savedState, to: statePath)
            }
            throw Interrupted(
                cause: error,
                corpus: plan.corpus,
                state: state,
                folder: folder.temporaryPath,
                isKept: FileSystem.kind(of: statePath) != nil
            )
        }
        return PreparationResult(
            name: request.name,
            path: folder.path,
            tokenizer: plan.tokenizer.name,
            isTokenizerChosen: request.tokenizer == nil,
            vocabularySize: plan.tokenizer.vocabularySize,
            textBytes: state.textBytes,
            trainTokens: state.train.tokens,
            validationTokens: state.validation.tokens,
            documents: plan.corpus.isOneText
                ? nil : .init(train: state.train.documents, validation: state.validation.documents),
            shards: state.train.files.count + state.validation.files.count,
            continuedTokens: run.continuedTokens
        )
    }

    private struct Run {
        let state: PreparationState
        let sources: [DatasetDescription.Source]
        let continuedTokens: Int
    }

    /// Writes all shards, from where an earlier run of the same plan stopped.
    private func tokenize(_ plan: PreparationPlan, to folder: AtomicFolder) throws -> Run {
        let settings = try plan.settings(shardSize: request.shardSize)
        let earlier = PreparationState.load(
            folder: folder.temporaryPath,
            settings: settings,
            elementType: plan.elementType
        )
        if earlier == nil {
            // What another preparation, or one of other text, left there.
            for name in try FileSystem.names(inFolder: folder.temporaryPath) where name != Self.keptInput {
                try FileSystem.remove(folder.temporaryPath + "/" + name)
            }
        }
        let pipeline = try TokenPipeline(
            folder: folder.temporaryPath,
            encoder: plan.encoder,
            shardSize: request.shardSize,
            state: earlier ?? PreparationState(settings: settings),
            threadCount: request.threads
        )
        let tokenizer = plan.tokenizer
        let reader = plan.corpus.reader { tokenizer.lastCut(in: $0) }
        let total = try plan.corpus.byteCount
        var position = plan.position
        do {
            try pipeline.run {
                guard let batch = try reader.next() else { return nil }
                return position?.assign(batch) ?? batch
            } progress: { isBehind in
                progress(
                    .init(
                        stage: isBehind ? .skipping : .tokenizing,
                        doneBytes: reader.bytesRead,
                        totalBytes: total
                    )
                )
            }
            try pipeline.finish()
        } catch {
            throw Interrupted(
                cause: error,
                corpus: plan.corpus,
                state: pipeline.state,
                folder: folder.temporaryPath,
                isKept: pipeline.saveRest(),
                saysWhatToDo: pipeline.isOtherText
            )
        }
        return Run(
            state: pipeline.state,
            sources: reader.finishedSources,
            continuedTokens: earlier.map { $0.train.tokens + $0.validation.tokens } ?? 0
        )
    }

    /// An error that stopped a preparation on its way.
    private struct Interrupted: Error {
        let cause: any Error
        let corpus: Corpus
        let state: PreparationState
        let folder: String
        /// Whether the same command can go on from there.
        let isKept: Bool
        /// Whether the cause itself says what to do.
        var saysWhatToDo = false

        var described: any Error {
            guard let cause = cause as? UserError, !saysWhatToDo else { return self.cause }
            let tokens = state.train.tokens + state.validation.tokens
            let documents = state.train.documents + state.validation.documents
            return UserError(
                cause.kind,
                """
                \(cause.message); \(tokens) tokens of the \(documents) documents before it are kept in \(folder): \
                \(next(isData: cause.kind == .data))
                """
            )
        }

        private func next(isData: Bool) -> String {
            let mended = "once that is mended, the same command goes on from there"
            guard isData else { return mended }
            guard corpus.readsStandardInput else {
                // A file that is mended has another size or time, and is another text.
                return
                    "the same command goes on from there with the same text; a text that is changed is prepared from its beginning"
            }
            // Standard input is known by what was read of it; files beside it are not.
            return corpus.hasFiles
                ? "the same command goes on from there with the same text"
                : mended + ", if the text before it is the same"
        }
    }

    private func check(_ state: PreparationState, _ plan: PreparationPlan) throws {
        let (train, validation) = (state.train, state.validation)
        guard min(train.tokens, validation.tokens) < 2 else { return }
        guard case .hash(let share, _) = plan.rule else {
            throw UserError(
                .data,
                "the text has only \(train.tokens + validation.tokens) tokens: too few to train on and to validate with"
            )
        }
        throw UserError(
            .data,
            """
            of \(train.documents + validation.documents) documents, \(validation.documents) are for validation and \
            \(train.documents) for training with --val_fraction=\(share): both need some; choose another share, or \
            another --seed
            """
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

    // MARK: - The text

    private func corpus() throws -> Corpus {
        switch request.source {
        case .inputs(let inputs):
            return try Corpus(
                inputs: inputs,
                format: CorpusFormat(separator: request.separator, field: request.field),
                hasShare: request.validationShare != nil
            )
        case .published(let dataset, let copy):
            if dataset == .shakespeareChar { try checkCharacters() }
            let paths = try PublishedFiles(
                dataset: dataset,
                files: files ?? dataset.files,
                cacheFolder: cacheFolder ?? CacheFolder.path(),
                dataFolder: request.dataFolder
            ).locate(copy: copy, announce: announce, progress: progress)
            return try corpus(of: dataset, paths)
        case .demo(let seed, let characters):
            try checkCharacters()
            guard characters > 0 else {
                throw UserError(.usage, "a demo corpus of \(characters) characters: it needs some")
            }
            return Corpus(
                sources: [CorpusSource(name: DemoCorpus.name, content: .demo(seed: seed, characters: characters))]
            )
        }
    }

    private func checkCharacters() throws {
        guard request.tokenizer == nil || request.tokenizer == .char else {
            throw UserError(
                .usage,
                "\(request.name) is a data set of characters; another --tokenizer goes with --input FILE --name NAME"
            )
        }
    }

    private func corpus(of dataset: NamedDataset, _ paths: [String]) throws -> Corpus {
        switch dataset {
        case .openwebtext:
            return Corpus(sources: try paths.map { try CorpusSource(named: $0) }, isOneText: false)
        case .tinystories:
            let splits = zip(paths, [Dataset.Split.train, .validation])
            return Corpus(
                sources: splits.map { CorpusSource(name: $0, content: .file($0), split: $1) },
                format: CorpusFormat(separator: "<|endoftext|>"),
                isOneText: false
            )
        case .shakespeareChar, .shakespeare, .fineweb, .demo:
            return Corpus(sources: paths.map { CorpusSource(name: $0, content: .file($0)) })
        }
    }

    // MARK: - The description

    private func description(
        _ plan: PreparationPlan,
        state: PreparationState,
        sources: [DatasetDescription.Source]
    ) -> DatasetDescription {
        var demo: DatasetDescription.Demo?
        if case .demo(let seed, let characters) = request.source {
            demo = .init(seed: seed, characters: characters, grammar: DemoCorpus.grammarHash)
        }
        return DatasetDescription(
            name: request.name,
            tokenizer: .init(
                kind: plan.tokenizer.name,
                file: TokenizerFile.name,
                sha256: TokenizerFile.hash(of: plan.tokenizer)
            ),
            vocabularySize: plan.tokenizer.vocabularySize,
            elementType: plan.elementType.rawValue,
            train: state.train.files,
            validation: state.validation.files,
            trainText: .init(bytes: state.train.textBytes, documents: state.train.documents),
            validationText: .init(bytes: state.validation.textBytes, documents: state.validation.documents),
            rule: plan.rule,
            sources: sources,
            demo: demo
        )
    }
}
