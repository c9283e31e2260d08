import Compute
import Datasets
import Formats
import Platform
import Tokenizers

/// How a corpus becomes tokens: decided before the first is written, by reading the text once where that is needed.
struct PreparationPlan {
    var corpus: Corpus
    var tokenizer: any Tokenizer
    let recognizesSpecialTokens: Bool
    var rule: DatasetDescription.Rule
    /// Where one text is cut in two.
    var position: PositionSplit?
    /// What follows each document: the tokenizer's end-of-text token, or else the separator as text.
    private(set) var documentEnd: [Int32] = []

    /// - Parameters:
    ///   - cacheFolder: where downloads are kept; nil for `CacheFolder.path()`.
    ///   - notice: is told what is assumed about the tokenizer.
    /// - Throws: `UserError` for text that is not UTF-8 and is to be, and for a tokenizer that cannot be used.
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
        // Bytes need not be UTF-8, so that there are no characters to count.
        let unit: PositionSplit.Unit = tokenizer is ByteTokenizer ? .bytes : .characters
        let total = try characterCount ?? Self.count(unit, of: corpus, progress: progress)
        position = PositionSplit(unit: unit, total: total)
    }

    /// The text that follows each document; nil where the tokenizer has a token for it, or there is one text.
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
                the tokenizer has no end-of-text token, and cannot write \(corpus.format.shownSeparator) between documents \
                in its place: name a separator of characters that it has with --separator
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
                "--special_tokens: the tokenizer (\(tokenizer.name)) has no special tokens; leave the option out"
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

    /// The tokenizer that is made of the text, and the number of its characters where they were counted: of a short text its
    /// characters, else byte pairs, unless the request asks for characters.
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
                the text has \(scalars.count) different characters, and token files of characters hold at most \
                \(TokenFile.largestVocabulary): use --tokenizer=gpt2 or --tokenizer=byte
                """
            )
        }
        return CharacterTokenizer(scalars: scalars)
    }

    /// Byte pairs of the text itself; one text's characters are counted on the way.
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

    /// The same with a larger share of the documents for validation, where a hash decides.
    var forFewDocuments: PreparationPlan? {
        guard case .hash(_, let seed) = rule else { return nil }
        var plan = self
        plan.rule = .hash(validationShare: PreparationRequest.validationShareForFewDocuments, seed: seed)
        return plan
    }

    /// Identifies text, tokens and shards: what an earlier run wrote is gone on from when this is the same.
    func settings(shardSize: Int) throws -> String {
        let parts = [
            corpus.identity, TokenizerFile.hash(of: tokenizer), "\(rule)", String(shardSize),
            String(TextAssembler.pieceSize), "\(documentEnd)", "\(recognizesSpecialTokens)",
        ]
        return Checksum.sha256(of: parts.joined(separator: "\0"))
    }
}

extension CharacterSurvey {
    /// Reads a text once for its characters; nil when it has more than `limit` bytes.
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
