import Compute
import Datasets
import Formats
import Platform

/// Reads, encodes and writes at the same time: while the workers encode one batch, one of them reads the next. Memory is that
/// of two batches and their tokens, however long the text is.
///
/// The state is saved now and then, always between batches, and what is on disk then is never changed but by going on: a
/// pipeline that is given the state passes over as many pieces of text, and leaves the same files as one that never stopped.
final class TokenPipeline {
    /// Tokens between two savings, at most.
    static let savedTokens = 20_000_000

    private let folder: String
    private let encoder: BatchEncoder
    private let pool: WorkerPool
    private let train: ShardWriter
    private let validation: ShardWriter
    private let savedTokens: Int
    private(set) var state: PreparationState
    /// Whether the text was refused, as it begins otherwise than the one whose tokens are there.
    private(set) var isDifferentText = false
    /// Whether the shards are where the state is.
    private var isBetweenBatches = true
    private var tokensSinceSaving = 0
    /// Room for each worker.
    private var ids: [[Int32]]

    /// - Parameters:
    ///   - folder: where the shards are written, and the state beside them.
    ///   - shardSize: tokens of a shard.
    ///   - state: where to go on.
    init(
        folder: String,
        encoder: BatchEncoder,
        shardSize: Int,
        state: PreparationState,
        threadCount: Int,
        savedTokens: Int = TokenPipeline.savedTokens
    ) throws {
        func writer(_ split: Dataset.Split, _ state: ShardWriter.State) throws -> ShardWriter {
            try ShardWriter(
                folder: folder,
                split: split,
                shardSize: shardSize,
                elementType: encoder.elementType,
                state: state
            )
        }
        self.folder = folder
        self.encoder = encoder
        self.state = state
        self.savedTokens = min(savedTokens, shardSize)
        train = try writer(.train, state.train)
        validation = try writer(.validation, state.validation)
        pool = WorkerPool(threadCount: threadCount)
        ids = Array(repeating: [], count: threadCount)
    }

    /// After an error: saves what is worth it, a shard at least, and says whether there is anything to go on from.
    func saveAfterError() -> Bool {
        if isBetweenBatches, !train.state.files.isEmpty || !validation.state.files.isEmpty { try? save() }
        return FileSystem.kind(of: folder + "/" + PreparationState.fileName) != nil
    }

    /// Writes the tokens of all text from where the state is.
    ///
    /// - Parameters:
    ///   - next: the text from its start, batch by batch; called by one thread at a time.
    ///   - progress: called after each batch; `isSkipping` while passing over text that an earlier run wrote.
    /// - Throws: what `next` throws, once all before it is written; `UserError` for text that cannot be encoded, for what
    ///   cannot be written, and for a text that begins otherwise than the one whose tokens are there.
    func run(next: () throws -> TextBatch?, progress: (_ isSkipping: Bool) -> Void) throws {
        var position = 0
        var crc: UInt32 = 0
        let (kept, keptCRC) = (state.pieces, state.textCRC)
        var following: Result<TextBatch?, any Error> = Result { try next() }
        while let batch = try following.get() {
            for (index, piece) in batch.pieces.enumerated() {
                crc = batch.bytes.withUnsafeBytes {
                    Checksum.crc32c(of: UnsafeRawBufferPointer(rebasing: $0[piece.range]), after: crc)
                }
                if position + index + 1 == kept, let keptCRC, keptCRC != crc { throw refusal() }
            }
            let isSkipping = position + batch.pieces.count <= state.pieces
            let rest = dropping(max(0, state.pieces - position), of: batch)
            position += batch.pieces.count
            let tasks = BatchEncoder.tasks(of: rest)
            var outputs = [BatchEncoder.Output](repeating: .init(), count: tasks.count)
            outputs.withUnsafeMutableBufferPointer { outputs in
                ids.withUnsafeMutableBufferPointer { ids in
                    pool.run(tasks.count + 1) { task, worker in
                        // Reading first: it cannot be shared.
                        if task == 0 {
                            following = Result { try next() }
                        } else {
                            outputs[task - 1] = encoder.encode(rest, tasks[task - 1], ids: &ids[worker])
                        }
                    }
                }
            }
            if let error = outputs.lazy.compactMap(\.error).first { throw error }
            isBetweenBatches = false
            for output in outputs { try write(output) }
            if position > state.pieces { (state.pieces, state.textCRC) = (position, crc) }
            isBetweenBatches = true
            if tokensSinceSaving >= savedTokens { try save() }
            progress(isSkipping)
        }
        guard position >= kept else { throw refusal() }
    }

    private func refusal() -> UserError {
        isDifferentText = true
        return UserError(
            .data,
            "the text is another than the one whose tokens are kept in \(folder): give that one, or remove the folder"
        )
    }

    /// Finishes the last shards.
    func finish() throws {
        try train.finish()
        try validation.finish()
        (state.train, state.validation) = (train.state, validation.state)
    }

    /// Makes what is written durable, and notes how far it goes.
    func save() throws {
        try train.synchronize()
        try validation.synchronize()
        (state.train, state.validation) = (train.state, validation.state)
        try state.save(folder: folder)
        tokensSinceSaving = 0
    }

    private func dropping(_ count: Int, of batch: TextBatch) -> TextBatch {
        guard count > 0 else { return batch }
        var rest = batch
        rest.pieces.removeFirst(min(count, batch.pieces.count))
        return rest
    }

    private func write(_ output: BatchEncoder.Output) throws {
        let width = encoder.elementType.byteCount
        try output.bytes.withUnsafeBytes { bytes in
            // Neighbours of one split are written at once.
            var (start, end) = (0, 0)
            var last = state.openSplit
            for piece in output.pieces {
                let split = piece.split ?? state.openSplit
                if split != last {
                    try append(bytes[start..<end], to: last)
                    (start, last) = (end, split)
                }
                end += piece.tokens * width
                writer(split).count(textBytes: piece.textBytes, documents: piece.endsDocument ? 1 : 0)
                state.openSplit = piece.endsDocument ? nil : split
            }
            try append(bytes[start..<end], to: last)
        }
    }

    private func append(_ bytes: Slice<UnsafeRawBufferPointer>, to split: Dataset.Split?) throws {
        try writer(split).append(UnsafeRawBufferPointer(rebasing: bytes))
        tokensSinceSaving += bytes.count / encoder.elementType.byteCount
    }

    private func writer(_ split: Dataset.Split?) -> ShardWriter { split == .validation ? validation : train }
}
