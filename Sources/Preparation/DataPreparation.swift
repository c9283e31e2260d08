import Datasets
import Platform
import Tokenizers

/// Makes datasets: token files, their tokenizer, and dataset.json, in a folder that appears when all of it is there.
///
/// What an interrupted preparation wrote is kept beside the dataset's place, and the same preparation goes on from there.
public struct DataPreparation {
    /// Text up to this many bytes is tokenized by characters unless the user says otherwise.
    public static let characterLimit = 2_000_000

    /// Whether this build has libarchive and zlib, which read compressed files and archives.
    public static var readsArchives: Bool { ArchiveReader.isBuiltIn }

    let request: PreparationRequest
    let progress: (PreparationProgress) -> Void
    /// Nil for the user's own.
    let cacheFolder: String?
    /// Published files in the place of the real ones, for tests.
    let files: [PublicFile]?
    let announce: (String) -> Void

    /// Carries out a request.
    ///
    /// - Parameters:
    ///   - cacheFolder: where downloads are kept; nil for `CacheFolder.path()`.
    ///   - progress: called after each piece of work.
    ///   - announce: told before it starts what a published dataset takes and what is assumed about a tokenizer, and at the
    ///     end what of the text was converted, passed over or is odd, a line each.
    /// - Throws: `UserError`: `.usage` for a request that cannot be carried out, or a dataset that is there already; `.data`
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
        try checkDestination(path)
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
                notice: announce,
                progress: progress
            )
            let kept = try folder ?? AtomicFolder(continuing: path)
            folder = kept
            return try write(plan, to: kept)
        } catch let error where !((error as? InterruptedPreparation)?.isKept ?? false) {
            try? folder?.discard()
            throw (error as? InterruptedPreparation)?.cause ?? error
        } catch let error as InterruptedPreparation {
            throw error.described
        }
    }

    private static let keptInput = "input"

    /// Whether the tokenizer is made of the text.
    private var readsTextFirst: Bool { request.tokenizer == nil || request.tokenizer == .char }

    // MARK: - Writing

    /// Whether no figure can be made of a split: no document, or a few short ones.
    private static func isTooSmall(_ validation: ShardWriter.State) -> Bool {
        validation.documents == 0
            || validation.documents < minimumValidation.documents && validation.tokens < minimumValidation.tokens
    }

    private static let minimumValidation = (documents: 10, tokens: 10_000)

    private func write(_ plan: PreparationPlan, to folder: AtomicFolder) throws -> PreparationResult {
        var plan = plan
        var run = try tokenize(plan, to: folder)
        if Self.isTooSmall(run.state.validation), request.validationShare == nil, !plan.corpus.readsStandardInput,
            let few = plan.forFewDocuments
        {
            // Few documents are tokenized quickly: once more, with another share of them for validation. Standard input that
            // was not kept cannot be read again; the error below says what to do.
            plan = few
            run = try tokenize(plan, to: folder)
        }
        if plan.keptSeparator != nil, run.state.train.documents + run.state.validation.documents > 0 {
            announce(
                """
                the tokenizer (\(plan.tokenizer.name)) has no end-of-text token: each document is followed by \
                \(plan.corpus.format.shownSeparator)
                """
            )
        }
        run.reader.notices.lines.forEach(announce)
        try check(run.state, plan)
        try publish(run, of: plan, in: folder)
        let state = run.state
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
        let reader: CorpusReader
        let continuedTokens: Int
    }

    /// Writes what belongs to the tokens, and gives the folder its name.
    private func publish(_ run: Run, of plan: PreparationPlan, in folder: AtomicFolder) throws {
        let statePath = folder.temporaryPath + "/" + PreparationState.fileName
        let savedState = try? FileSystem.read(statePath)
        do {
            try TokenizerFile.save(plan.tokenizer, folder: folder.temporaryPath)
            let description = description(plan, state: run.state, reader: run.reader)
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
            throw InterruptedPreparation(
                cause: error,
                corpus: plan.corpus,
                state: run.state,
                folder: folder.temporaryPath,
                isKept: FileSystem.kind(of: statePath) != nil
            )
        }
    }

    /// Writes all shards, from where an earlier run of the same plan stopped.
    private func tokenize(_ plan: PreparationPlan, to folder: AtomicFolder) throws -> Run {
        let settings = try plan.settings(shardSize: request.shardSize)
        let earlier = try earlierState(in: folder.temporaryPath, of: plan, settings: settings)
        let pipeline = try TokenPipeline(
            folder: folder.temporaryPath,
            encoder: plan.encoder,
            shardSize: request.shardSize,
            state: earlier ?? PreparationState(settings: settings),
            threadCount: request.threads
        )
        let tokenizer = plan.tokenizer
        let reader = plan.corpus.reader { tokenizer.lastCut(in: $0) }
        let total = plan.corpus.byteCount
        do {
            try run(pipeline, reading: reader, total: total, position: plan.position)
        } catch {
            // Text that no longer fits what was counted of it is a fault of what writes to the file.
            let isData = (error as? UserError)?.kind == .data
            throw InterruptedPreparation(
                cause: isData ? plan.corpus.change ?? error : error,
                corpus: plan.corpus,
                state: pipeline.state,
                folder: folder.temporaryPath,
                isKept: pipeline.saveAfterError(),
                causeExplainsFix: pipeline.isDifferentText
            )
        }
        return Run(
            state: pipeline.state,
            reader: reader,
            continuedTokens: earlier.map { $0.train.tokens + $0.validation.tokens } ?? 0
        )
    }

    /// What to go on from; without that, the folder is emptied of what another preparation, or one of other text, left there.
    private func earlierState(
        in folder: String,
        of plan: PreparationPlan,
        settings: String
    ) throws -> PreparationState? {
        if let state = PreparationState.load(folder: folder, settings: settings, elementType: plan.elementType) {
            return state
        }
        for name in try FileSystem.names(inFolder: folder) where name != Self.keptInput {
            try FileSystem.remove(folder + "/" + name)
        }
        return nil
    }

    private func run(
        _ pipeline: TokenPipeline,
        reading reader: CorpusReader,
        total: Int,
        position: PositionSplit?
    ) throws {
        var position = position
        try pipeline.run {
            guard let batch = try reader.next() else { return nil }
            return position?.assign(batch) ?? batch
        } progress: { isSkipping in
            progress(
                .init(
                    stage: isSkipping ? .skipping : .tokenizing,
                    doneBytes: reader.bytesRead,
                    totalBytes: total
                )
            )
        }
        try pipeline.finish()
    }
}
