import Compute
import Datasets
import Formats
import Platform

/// Reads, encodes and writes text. While the workers encode one batch, one of them reads the next. The memory is that
/// of two batches and their tokens, regardless of the length of the text.
///
/// The state is saved regularly between batches. A pipeline that continues from a saved state skips the pieces of text
/// that are already written, and produces the same files as a pipeline that was not interrupted.
final class TokenPipeline {
    /// The state is saved after at most this number of tokens, up to the end of the batch.
    static let savedTokens = 20_000_000

    private let folder: String
    private let encoder: BatchEncoder
    private let pool: WorkerPool
    private let train: ShardWriter
    private let validation: ShardWriter
    private let savedTokens: Int
    private(set) var state: PreparationState
    /// Whether the text was refused because its start differs from the text of the tokens that are already written.
    private(set) var isDifferentText = false
    /// Whether the shards match the state.
    private var isBetweenBatches = true
    private var tokensSinceSaving = 0
    /// A scratch array for each worker.
    private var ids: [[Int32]]

    /// - Parameters:
    ///   - folder: The folder for the shards and the state.
    ///   - shardSize: The number of tokens per shard.
    ///   - state: The state to continue from.
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

    /// Saves the state after an error if at least one shard is complete.
    ///
    /// - Returns: Whether the folder has a state to continue from.
    func saveAfterError() -> Bool {
        if isBetweenBatches, !train.state.files.isEmpty || !validation.state.files.isEmpty { try? save() }
        return FileSystem.kind(of: folder + "/" + PreparationState.fileName) != nil
    }

    /// Writes the tokens of the text that is not yet written according to the state.
    ///
    /// - Parameters:
    ///   - next: Returns the next batch, starting at the beginning of the text, or nil at the end. It is called by one
    ///     thread at a time.
    ///   - progress: Called after each batch. `isSkipping` is true for text that an earlier run wrote.
    /// - Throws: The error of `next`, after the tokens of all earlier batches are written; `UserError` if text cannot
    ///   be encoded, a file cannot be written, or the start of the text differs from the text of the written tokens.
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
                        // Reading comes first, because it cannot be divided among workers.
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
            "the text differs from the one whose tokens are kept in \(folder); pass the same text or remove the folder"
        )
    }

    /// Completes the last shards.
    func finish() throws {
        try train.finish()
        try validation.finish()
        (state.train, state.validation) = (train.state, validation.state)
    }

    /// Flushes the shards to disk and saves the state.
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
            // Consecutive pieces of the same split are written together.
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
