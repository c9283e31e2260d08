/// Divides a whole split into consecutive blocks without overlap. Every token except the first is a target exactly
/// once.
///
/// ```
/// tokens    0 1 2 3 4 5 6 7 8 9      block size 4
/// inputs    0 1 2 3|4 5 6 7|8
/// targets   1 2 3 4|5 6 7 8|9        the last block is shorter
/// ```
/// Shards form one sequence and blocks can span them, so only the first token of the whole split is not a target.
public struct SplitBlocks: Sendable {
    /// Consecutive blocks of the same length that are evaluated together.
    public struct Batch: Equatable, Sendable {
        /// The position of the first input.
        public let start: Int
        /// The number of blocks.
        public let count: Int
        /// The number of inputs per block, which is also the number of targets.
        public let length: Int

        /// The number of targets in all blocks.
        public var targetCount: Int { count * length }
    }

    /// The tokens of the split.
    public let sequence: TokenSequence
    /// The batches in the order of the split; empty if the split has no target.
    public let batches: [Batch]

    /// Divides the tokens of a split.
    ///
    /// - Parameters:
    ///   - sequence: the tokens of the split.
    ///   - blockSize: the number of targets of every block except the last, at least 1.
    ///   - batchSize: the maximum number of blocks per batch, at least 1.
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

    /// Reads the tokens of a batch.
    ///
    /// - Parameters:
    ///   - batch: one of `batches`.
    ///   - tokens: receives the inputs, (count, length) row-major. Resized to fit.
    ///   - targets: receives the next tokens, in the same shape. Resized to fit.
    /// - Throws: `UserError(.data)` if an id is not below the vocabulary size.
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
