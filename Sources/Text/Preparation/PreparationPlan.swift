import Formats

/// How a corpus becomes tokens: decided before the first is written, by reading the text once where that is needed.
struct PreparationPlan {
    var corpus: Corpus
    var tokenizer: any Tokenizer
    var rule: DatasetDescription.Rule
    /// Where one text is cut in two.
    var position: PositionSplit?

    /// - Throws: `UserError` for text that is not UTF-8 and is to be, or is large and has no tokenizer.
    init(request: PreparationRequest, corpus: Corpus, progress: @escaping (PreparationProgress) -> Void) throws {
        self.corpus = corpus
        if corpus.isOneText {
            rule = .position(trainShare: PositionSplit.trainShare)
        } else if corpus.sources.allSatisfy({ $0.split != nil }) {
            rule = .sources
        } else {
            rule = .hash(
                validationShare: request.validationShare ?? PreparationRequest.defaultValidationShare,
                seed: request.seed
            )
        }
        if case .demo(_, let characters)? = corpus.sources.first?.content {
            tokenizer = DemoCorpus.tokenizer
            position = PositionSplit(unit: .characters, total: characters)
            return
        }
        let (survey, total) = (
            try TextSurvey(corpus, tokenizer: request.tokenizer, progress: progress), request.tokenizer
        )
        tokenizer = total == .byte ? ByteTokenizer() : CharacterTokenizer(scalars: survey.characters.scalars)
        guard corpus.isOneText else { return }
        position =
            total == .byte
            ? PositionSplit(unit: .bytes, total: survey.byteCount)
            : PositionSplit(unit: .characters, total: survey.characters.characterCount)
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
            endsDocuments: !corpus.isOneText,
            documentSplit: documentSplit,
            field: corpus.field
        )
    }

    /// The same with a larger share of the documents for validation, where a hash decides.
    var forFewDocuments: PreparationPlan? {
        guard case .hash(_, let seed) = rule else { return nil }
        var plan = self
        plan.rule = .hash(validationShare: PreparationRequest.validationShareOfFew, seed: seed)
        return plan
    }

    /// Identifies text, tokens and shards: what an earlier run wrote is gone on from when this is the same.
    func settings(shardSize: Int) throws -> String {
        let parts = [
            try corpus.identity, TokenizerFile.hash(of: tokenizer), "\(rule)", String(shardSize),
            String(TextAssembler.pieceSize),
        ]
        return Checksum.sha256(of: parts.joined(separator: "\0"))
    }
}

/// What is learnt of a text by reading it once: which characters it has, and how long it is.
private struct TextSurvey {
    var characters = CharacterSurvey()
    var byteCount = 0

    /// - Parameter tokenizer: nil to choose, as the length allows it.
    init(
        _ corpus: Corpus,
        tokenizer: PreparationRequest.TokenizerChoice?,
        progress: (PreparationProgress) -> Void
    ) throws {
        // Bytes need no vocabulary; their number is needed only to cut one text in two.
        guard tokenizer != .byte || corpus.isOneText else { return }
        let total = try corpus.byteCount
        let reader = corpus.reader { UTF8Scanner.lastBoundary(in: $0) }
        while let batch = try reader.next() {
            try batch.bytes.withUnsafeBytes { bytes in
                for piece in batch.pieces { try add(piece, bytes, field: corpus.field, isByte: tokenizer == .byte) }
            }
            progress(.init(stage: .reading, doneBytes: reader.bytesRead, totalBytes: total))
            guard tokenizer != nil || byteCount <= DataPreparation.characterLimit else {
                throw UserError(
                    .usage,
                    """
                    the text has more than \(DataPreparation.characterLimit) bytes; up to that it is tokenized by \
                    characters, above it say how: --tokenizer=char or --tokenizer=byte
                    """
                )
            }
        }
        guard characters.scalars.count <= TokenFile.largestVocabulary else {
            throw UserError(
                .data,
                """
                the text has \(characters.scalars.count) different characters, and token files hold at most \
                \(TokenFile.largestVocabulary): use --tokenizer=byte
                """
            )
        }
    }

    private mutating func add(
        _ piece: TextBatch.Piece,
        _ bytes: UnsafeRawBufferPointer,
        field: String,
        isByte: Bool
    ) throws {
        let text = UnsafeRawBufferPointer(rebasing: bytes[piece.range])
        switch piece.form {
        case .text:
            byteCount += text.count
            if !isByte { try characters.add(text, source: piece.origin, from: piece.offset) }
        case .jsonLine:
            var content = try JSONLine.text(of: text, field: field, origin: piece.origin, offset: piece.offset)
            try content.withUTF8 {
                byteCount += $0.count
                if !isByte { try characters.add(UnsafeRawBufferPointer($0), source: piece.origin) }
            }
        }
    }
}
