import Compute
import Datasets
import Formats
import Platform
import Tokenizers

/// The tokenizer and the split of a preparation, decided before the first token is written. Reads the whole text once
/// if the decision depends on it.
struct PreparationPlan {
    var corpus: Corpus
    var tokenizer: any Tokenizer
    let recognizesSpecialTokens: Bool
    var rule: DatasetDescription.Rule
    /// The split of a single text by position; nil for documents.
    var position: PositionSplit?
    /// The ids after each document: the tokenizer's end-of-text token, or the separator if there is no such token.
    private(set) var documentEnd: [Int32] = []

    /// - Parameters:
    ///   - cacheFolder: The folder for downloads, or nil for `CacheFolder.path()`.
    ///   - notice: Called with a message for each assumption about the tokenizer.
    /// - Throws: `UserError` if the text is not UTF-8 but the tokenizer needs UTF-8, or if the tokenizer cannot be
    ///   used.
    init(
        request: PreparationRequest,
        corpus: Corpus,
        cacheFolder: String?,
        notice: (String) -> Void = { _ in },
        progress: @escaping (PreparationProgress) -> Void
    ) throws {
        self.corpus = corpus
        recognizesSpecialTokens = request.recognizesSpecialTokens
        rule = Self.rule(request, corpus)
        if case .demo(_, let characters)? = corpus.sources.first?.content {
            tokenizer = DemoCorpus.tokenizer
            position = PositionSplit(unit: .characters, total: characters)
            return
        }
        var characterCount: Int?
        if let source = request.tokenizer, source != .char {
            tokenizer = try source.open(
                cacheFolder: cacheFolder,
                progress: { progress(.init(stage: .downloading, doneBytes: $0, totalBytes: 0)) },
                notice: notice
            )
        } else {
            (tokenizer, characterCount) = try Self.tokenizerFromText(request, corpus, progress: progress)
        }
        if recognizesSpecialTokens { tokenizer = try Self.recognizingSpecials(tokenizer) }
        guard corpus.isOneText else {
            documentEnd = try Self.documentEnd(tokenizer, corpus)
            return
        }
        // Text for the byte tokenizer need not be UTF-8, so characters cannot be counted.
        let unit: PositionSplit.Unit = tokenizer is ByteTokenizer ? .bytes : .characters
        let total = try characterCount ?? Self.count(unit, of: corpus, progress: progress)
        position = PositionSplit(unit: unit, total: total)
    }

    /// The text after each document; nil if the tokenizer has an end-of-text token or the corpus is a single text.
    var keptSeparator: String? {
        corpus.isOneText || tokenizer.endOfText != nil ? nil : corpus.format.keptSeparator
    }

    private static func documentEnd(_ tokenizer: any Tokenizer, _ corpus: Corpus) throws -> [Int32] {
        if let end = tokenizer.endOfText { return [end] }
        do {
            return try tokenizer.encode(corpus.format.keptSeparator)
        } catch {
            throw UserError(
                .data,
                """
                the tokenizer has no end-of-text token, and it cannot encode \(corpus.format.shownSeparator), which would be \
                written after each document instead; choose a --separator that it can encode
                """
            )
        }
    }

    private static func recognizingSpecials(_ tokenizer: any Tokenizer) throws -> BytePairTokenizer {
        guard let tokenizer = tokenizer as? BytePairTokenizer,
            tokenizer.vocabulary.addedTokens.contains(where: \.isSpecial)
        else {
            throw UserError(
                .usage,
                "--special_tokens: the tokenizer (\(tokenizer.name)) has no special tokens; remove the option"
            )
        }
        return BytePairTokenizer(tokenizer.vocabulary, recognizingSpecials: true)
    }

    private static func rule(_ request: PreparationRequest, _ corpus: Corpus) -> DatasetDescription.Rule {
        if corpus.isOneText { return .position(trainShare: PositionSplit.trainShare) }
        if corpus.sources.allSatisfy({ $0.split != nil }) { return .sources }
        return .hash(
            validationShare: request.validationShare ?? PreparationRequest.defaultValidationShare,
            seed: request.seed
        )
    }

    /// Builds a tokenizer from the text: of characters if the text is short or the request asks for `char`, else of
    /// byte pairs. Also returns the number of characters in the text if they were counted.
    private static func tokenizerFromText(
        _ request: PreparationRequest,
        _ corpus: Corpus,
        progress: @escaping (PreparationProgress) -> Void
    ) throws -> (tokenizer: any Tokenizer, characterCount: Int?) {
        let limit = request.tokenizer == nil ? DataPreparation.characterLimit : .max
        if let survey = try CharacterSurvey(corpus, limit: limit, progress: progress) {
            return (try characters(survey), survey.characterCount)
        }
        let (tokenizer, count) = try trained(on: corpus, threads: request.threads, progress: progress)
        return (tokenizer, count)
    }

    private static func characters(_ survey: CharacterSurvey) throws -> CharacterTokenizer {
        let scalars = survey.scalars
        guard scalars.count <= TokenFile.largestVocabulary else {
            throw UserError(
                .data,
                """
                the text has \(scalars.count) different characters, but a character dataset can have at most \
                \(TokenFile.largestVocabulary); use --tokenizer=gpt2 or --tokenizer=byte
                """
            )
        }
        return CharacterTokenizer(scalars: scalars)
    }

    /// Trains byte pairs on the text, and counts the characters if the corpus is a single text.
    private static func trained(
        on corpus: Corpus,
        threads: Int,
        progress: (PreparationProgress) -> Void
    ) throws -> (tokenizer: BytePairTokenizer, characterCount: Int) {
        var trainer = try BytePairTrainer(
            vocabularySize: PreparationRequest.trainedVocabularySize,
            pool: WorkerPool(threadCount: threads)
        )
        var count = 0
        try trainer.add(corpus, progress: progress) {
            if corpus.isOneText { count += PositionSplit.Unit.characters.count($0) }
        }
        return (BytePairTokenizer(try trainer.train()), count)
    }

    private static func count(
        _ unit: PositionSplit.Unit,
        of corpus: Corpus,
        progress: (PreparationProgress) -> Void
    ) throws -> Int {
        let total = corpus.byteCount
        let reader = corpus.reader { UTF8Scanner.lastBoundary(in: $0) }
        var count = 0
        while let batch = try reader.next() {
            for piece in batch.pieces { batch.withText(of: piece) { count += unit.count($0) } }
            progress(.init(stage: .reading, doneBytes: reader.bytesRead, totalBytes: total))
        }
        return count
    }

    var elementType: TokenFile.ElementType {
        tokenizer.vocabularySize <= TokenFile.largestVocabulary ? .uint16 : .uint32
    }

    var encoder: BatchEncoder {
        var documentSplit: DocumentSplit?
        if case .hash(let share, let seed) = rule { documentSplit = DocumentSplit(validationShare: share, seed: seed) }
        return BatchEncoder(
            tokenizer: tokenizer,
            elementType: elementType,
            documentEnd: documentEnd,
            documentSplit: documentSplit
        )
    }

    /// The same plan with a larger share of documents for validation; nil if documents are not split by hash.
    var forFewDocuments: PreparationPlan? {
        guard case .hash(_, let seed) = rule else { return nil }
        var plan = self
        plan.rule = .hash(validationShare: PreparationRequest.validationShareForFewDocuments, seed: seed)
        return plan
    }

    /// Returns a hash of everything that determines the shards. A run continues from the files of an earlier run if
    /// their hashes are equal.
    func settings(shardSize: Int) throws -> String {
        let parts = [
            corpus.identity, TokenizerFile.hash(of: tokenizer), "\(rule)", String(shardSize),
            String(TextAssembler.pieceSize), "\(documentEnd)", "\(recognizesSpecialTokens)",
        ]
        return Checksum.sha256(of: parts.joined(separator: "\0"))
    }
}

extension CharacterSurvey {
    /// Reads a text to collect its characters. Returns nil if the text has more than `limit` bytes.
    fileprivate init?(_ corpus: Corpus, limit: Int, progress: (PreparationProgress) -> Void) throws {
        self.init()
        let total = corpus.byteCount
        let reader = corpus.reader { UTF8Scanner.lastBoundary(in: $0) }
        var byteCount = 0
        while let batch = try reader.next() {
            for piece in batch.pieces {
                try batch.withText(of: piece) { text in
                    byteCount += text.count
                    if byteCount <= limit { try add(text, source: piece.origin, from: piece.offset) }
                }
            }
            guard byteCount <= limit else { return nil }
            progress(.init(stage: .reading, doneBytes: reader.bytesRead, totalBytes: total))
        }
        guard !corpus.isOneText else { return }
        var separator = corpus.format.keptSeparator
        try separator.withUTF8 { try add(UnsafeRawBufferPointer($0), source: "the separator") }
    }
}
