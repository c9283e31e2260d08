import Datasets
import Platform
import Tokenizers

/// Makes datasets: a folder with token files, their tokenizer, and dataset.json. The folder gets its name only when it
/// is complete.
///
/// An interrupted preparation keeps its files in a temporary folder next to the destination. The same preparation
/// continues from them.
public struct DataPreparation {
    /// The length in bytes up to which a text gets a character tokenizer by default.
    public static let characterLimit = 2_000_000

    /// Whether this build can read compressed files and archives, which requires libarchive and zlib.
    public static var readsArchives: Bool { ArchiveReader.isBuiltIn }

    let request: PreparationRequest
    let progress: (PreparationProgress) -> Void
    /// Nil for `CacheFolder.path()`.
    let cacheFolder: String?
    /// Files that replace the published ones in tests.
    let files: [PublicFile]?
    let announce: (String) -> Void

    /// Prepares a dataset.
    ///
    /// After an error, the files written so far are deleted, unless a later run can continue from them. In that case,
    /// the error message names their folder.
    ///
    /// - Parameters:
    ///   - request: The text, the tokenizer and the destination.
    ///   - cacheFolder: The folder for downloads, or nil for `CacheFolder.path()`.
    ///   - progress: Called after each batch of text or each part of a download.
    ///   - announce: Called with one line per message: at the start for the size of a published dataset and for
    ///     assumptions about the tokenizer, at the end for conversions, skipped input and anomalies of the text.
    /// - Returns: The counts of the new dataset.
    /// - Throws: `UserError(.usage)` if the request is not valid or the dataset already exists, `UserError(.data)` if
    ///   the text is empty, too short, damaged or has a wrong encoding or hash, `UserError(.inputOutput)` if something
    ///   cannot be read, written or downloaded.
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

    /// Whether the text is read before tokenizing, to build the tokenizer from it.
    private var readsTextFirst: Bool { request.tokenizer == nil || request.tokenizer == .char }

    // MARK: - Writing

    /// Whether a validation split is too small for a meaningful loss: no documents, or a few short ones.
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
            // Tokenizes the few documents again with a larger share for validation, which is fast. Standard input that
            // was not kept cannot be read again; then the check below throws an error.
            plan = few
            run = try tokenize(plan, to: folder)
        }
        if plan.keptSeparator != nil, run.state.train.documents + run.state.validation.documents > 0 {
            announce(
                """
                the tokenizer (\(plan.tokenizer.name)) has no end-of-text token, so each document is followed by \
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

    /// Writes the tokenizer and dataset.json, and gives the folder its final name.
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
            // The disk may be full, or the name may be taken by now. Restores the state, so that the tokens are not
            // lost.
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

    /// Writes all shards, starting where an earlier run of the same plan stopped.
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
            // If a file changed while it was read, its text can contradict earlier counts. The change is the real
            // cause.
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

    /// Returns the state of an earlier run to continue from. If there is none, deletes the files that a preparation
    /// with other settings or another text left in the folder, and returns nil.
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
