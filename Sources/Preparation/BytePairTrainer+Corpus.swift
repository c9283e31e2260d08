import Platform
import Tokenizers

extension BytePairTrainer {
    /// Counts all text that `prepare` would read of these inputs: files, folders, patterns, "-" for standard input.
    ///
    /// - Parameters:
    ///   - separator: what stands between the documents of plain text, and is none itself.
    ///   - field: of JSONL, the text; nil for "text", in files that are JSONL by their names or their content.
    ///   - skipsBad: whether bad lines of JSONL, and files that are not text, are passed over.
    ///   - announce: told at the end what of the text was converted, passed over or is odd, a line each.
    ///   - progress: told how far it is.
    /// - Throws: `UserError` for what cannot be read, or is no text.
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

    /// - Parameter each: called with each piece of text, in order.
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
