/// A whole split in blocks without overlap, in order: every token but the first is a target exactly once.
///
/// ```
/// tokens    0 1 2 3 4 5 6 7 8 9      block size 4
/// inputs    0 1 2 3|4 5 6 7|8
/// targets   1 2 3 4|5 6 7 8|9        the last block is shorter
/// ```
/// Shards are one sequence, so that blocks cross their borders and a split has one token that is no target, not one per shard.
public struct SplitBlocks: Sendable {
    /// Blocks of one length that are computed together.
    public struct Batch: Equatable, Sendable {
        /// The first input.
        public let start: Int
        /// Blocks, one behind the other.
        public let count: Int
        /// Inputs, and targets, of each.
        public let length: Int

        /// Targets of all blocks.
        public var targetCount: Int { count * length }
    }

    /// What the blocks are cut from.
    public let sequence: TokenSequence
    /// In the order of the split; none where it has no target.
    public let batches: [Batch]

    /// - Parameters:
    ///   - blockSize: targets of every block but the last; at least 1.
    ///   - batchSize: blocks of a batch at most; at least 1.
    public init(_ sequence: TokenSequence, blockSize: Int, batchSize: Int) {
        precondition(blockSize > 0 && batchSize > 0, "blocks of \(blockSize) in batches of \(batchSize)")
        self.sequence = sequence
        let blockCount = sequence.targetCount / blockSize
        let whole = stride(from: 0, to: blockCount, by: batchSize).map { first in
            Batch(start: first * blockSize, count: min(batchSize, blockCount - first), length: blockSize)
        }
        let rest = sequence.targetCount % blockSize
        let last = Batch(start: blockCount * blockSize, count: 1, length: rest)
        batches = rest == 0 ? whole : whole + [last]
    }

    /// Reads a batch.
    ///
    /// - Parameters:
    ///   - batch: one of `batches`.
    ///   - tokens: the inputs, (count, length) row-major; resized to fit.
    ///   - targets: the next tokens, in the same shape.
    /// - Throws: `UserError(.data)` when an id is beyond the vocabulary.
    public func read(_ batch: Batch, tokens: inout [Int32], targets: inout [Int32]) throws {
        precondition(batch.start >= 0 && batch.start + batch.targetCount <= sequence.targetCount, "\(batch)")
        var window = [Int32](repeating: 0, count: batch.targetCount + 1)
        try window.withUnsafeMutableBufferPointer {
            try sequence.copy(from: batch.start, count: $0.count, into: $0.baseAddress!)
        }
        tokens = Array(window.dropLast())
        targets = Array(window.dropFirst())
    }
}
