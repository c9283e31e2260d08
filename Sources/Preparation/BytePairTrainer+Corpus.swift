import Platform
import Tokenizers

extension BytePairTrainer {
    /// Counts all text that `prepare` would read of these inputs: files, folders, patterns, "-" for standard input.
    ///
    /// - Parameters:
    ///   - separator: what stands between the documents of plain text, and is none itself.
    ///   - field: of JSONL, the text; nil for "text", in files that are JSONL by their names.
    ///   - progress: told how far it is.
    /// - Throws: `UserError` for what cannot be read, or is no text.
    public mutating func add(
        inputs: [FilePath],
        separator: String? = nil,
        field: String? = nil,
        progress: (PreparationProgress) -> Void = { _ in }
    ) throws {
        let format = CorpusFormat(separator: separator, field: field)
        try add(Corpus(inputs: inputs, format: format, hasShare: false), progress: progress)
    }

    /// - Parameter each: called with each piece of plain text, in order.
    mutating func add(
        _ corpus: Corpus,
        progress: (PreparationProgress) -> Void,
        each: (UnsafeRawBufferPointer) -> Void = { _ in }
    ) throws {
        let total = corpus.byteCount
        let reader = corpus.reader { Self.lastCut(in: $0) }
        while let batch = try reader.next() {
            let tasks = BatchEncoder.tasks(of: batch)
            try add(tasks: tasks.count) { task, pass in
                for piece in batch.pieces[tasks[task]] { try batch.withText(of: piece, field: corpus.field, pass) }
            }
            batch.bytes.withUnsafeBytes { bytes in
                for piece in batch.pieces where piece.form == .text {
                    each(UnsafeRawBufferPointer(rebasing: bytes[piece.range]))
                }
            }
            progress(.init(stage: .counting, doneBytes: reader.bytesRead, totalBytes: total))
        }
    }
}
