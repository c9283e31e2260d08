import Platform
import Tokenizers

extension BytePairTrainer {
    /// Counts the pre-tokens of the text that `prepare` would read from the same inputs.
    ///
    /// - Parameters:
    ///   - inputs: Files, folders, glob patterns, or "-" for standard input.
    ///   - separator: The text between documents of plain text, which is not counted. Nil if each file is one document.
    ///   - field: The field of JSONL objects that is the text. If nil, the field is "text", and JSONL files are
    ///     recognized by name or content.
    ///   - skipsBad: Whether to skip bad lines of JSONL and files that are not text.
    ///   - announce: Called at the end with one line for each kind of conversion, skipped input or anomaly.
    ///   - progress: Called after each batch of text.
    /// - Throws: `UserError` if an input cannot be read or is not text.
    public mutating func add(
        inputs: [FilePath],
        separator: String? = nil,
        field: String? = nil,
        skipsBad: Bool = false,
        announce: (String) -> Void = { _ in },
        progress: (PreparationProgress) -> Void = { _ in }
    ) throws {
        let format = CorpusFormat(separator: separator, field: field, skipsBad: skipsBad)
        let notices = try add(Corpus(inputs: inputs, format: format, hasShare: false), progress: progress)
        notices.lines.forEach(announce)
    }

    /// - Parameter each: Called with each piece of text, in order.
    @discardableResult
    mutating func add(
        _ corpus: Corpus,
        progress: (PreparationProgress) -> Void,
        each: (UnsafeRawBufferPointer) -> Void = { _ in }
    ) throws -> CorpusNotices {
        let total = corpus.byteCount
        let reader = corpus.reader { Self.lastCut(in: $0) }
        while let batch = try reader.next() {
            let tasks = BatchEncoder.tasks(of: batch)
            try add(tasks: tasks.count) { task, pass in
                for piece in batch.pieces[tasks[task]] { batch.withText(of: piece, pass) }
            }
            for piece in batch.pieces { batch.withText(of: piece, each) }
            progress(.init(stage: .counting, doneBytes: reader.bytesRead, totalBytes: total))
        }
        return reader.notices
    }
}
