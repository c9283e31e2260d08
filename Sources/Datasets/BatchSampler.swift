import Compute
import Platform

/// Chooses the windows of text that a step trains or evaluates on: a pure function of (seed, step, sequence).
///
/// A window is `blockSize` inputs, and as targets the same tokens shifted by one; it reads `blockSize + 1` tokens. Which
/// rank or thread asks for a sequence, and in what order, never matters.
public struct BatchSampler: Sendable {
    /// The order of training windows.
    public enum Order: String, CaseIterable, Sendable {
        /// Starts drawn uniformly from `0 ..< count - blockSize`, as nanoGPT's: a window never wraps.
        case random
        /// Sequence q of step s starts at token `((s * sequencesPerStep + q) * blockSize) mod count`. The tokens are a ring:
        /// where a window reaches the end it goes on with token 0, inputs and targets alike, so that input i is token
        /// `(start + i) mod count` and target i token `(start + i + 1) mod count`.
        case sequential
        /// Each of the blocks `[b * blockSize, (b + 1) * blockSize]` once an epoch: shard after shard in an order drawn for the
        /// epoch, and within a shard the blocks that begin in it in an order drawn for epoch and shard. An epoch reads one shard
        /// at a time, so that data larger than memory come from disk once. The last block begins earlier where it would reach
        /// beyond the end, so that every token but the first is a target in each epoch, some of them twice.
        case epoch
    }

    private enum Rule: Sendable {
        case random, sequential
        case epoch(blockCount: Int)
        /// Blocks `[b * blockSize, (b + 1) * blockSize]` in an order that is a pseudo-random permutation of them: windows do
        /// not overlap until every block was used once.
        case shuffledBlocks

    }

    /// What windows are cut from.
    public let sequence: TokenSequence
    /// Inputs of a window, in tokens.
    public let blockSize: Int
    /// Sequences in a step over all micro-batches and ranks: accumulation * batch size.
    public let sequencesPerStep: Int
    /// False for the order `epoch` of the first versions, which left out the tokens that do not fill a block.
    public let epochCoversTail: Bool
    private let rule: Rule
    private let seed: UInt64
    private let stream: RandomStream
    private let site: UInt32

    /// Batches to train on.
    ///
    /// - Throws: `UserError(.usage)` when the block size is longer than the data.
    public init(
        sequence: TokenSequence,
        blockSize: Int,
        sequencesPerStep: Int,
        order: Order,
        epochCoversTail: Bool = true,
        seed: UInt64
    ) throws {
        let rule: Rule =
            switch order {
            case .random: .random
            case .sequential: .sequential
            case .epoch where epochCoversTail: .epoch(blockCount: (sequence.targetCount + blockSize - 1) / blockSize)
            case .epoch: .epoch(blockCount: sequence.targetCount / blockSize)
            }
        try self.init(
            sequence: sequence,
            blockSize: blockSize,
            sequencesPerStep: sequencesPerStep,
            rule: rule,
            epochCoversTail: epochCoversTail,
            seed: seed,
            stream: .trainingBatches,
            site: 0
        )
    }

    /// Batches to estimate the loss of a split with: step k is batch k, the same at every evaluation, so that figures
    /// compare; windows do not overlap as long as the split has enough of them, so that their errors are independent. Windows
    /// of a split that is shorter than a block are the whole split.
    ///
    /// - Throws: `UserError(.usage)` when the split has no target.
    public static func evaluation(
        sequence: TokenSequence,
        blockSize: Int,
        batchSize: Int,
        split: Dataset.Split,
        seed: UInt64
    ) throws -> BatchSampler {
        try BatchSampler(
            sequence: sequence,
            blockSize: min(blockSize, max(1, sequence.targetCount)),
            sequencesPerStep: batchSize,
            rule: .shuffledBlocks,
            seed: seed,
            stream: .evaluationBatches,
            site: split == .train ? 0 : 1
        )
    }

    private init(
        sequence: TokenSequence,
        blockSize: Int,
        sequencesPerStep: Int,
        rule: Rule,
        epochCoversTail: Bool = true,
        seed: UInt64,
        stream: RandomStream,
        site: UInt32
    ) throws {
        precondition(blockSize > 0 && sequencesPerStep > 0)
        guard sequence.count > blockSize else {
            throw UserError(
                .usage,
                """
                block_size \(blockSize) is longer than the data: \(sequence.source) has \(sequence.count) tokens, so \
                block_size can be at most \(sequence.count - 1)
                """
            )
        }
        self.sequence = sequence
        self.blockSize = blockSize
        self.sequencesPerStep = sequencesPerStep
        self.rule = rule
        self.epochCoversTail = epochCoversTail
        self.seed = seed
        self.stream = stream
        self.site = site
    }

    /// How many windows without overlap the tokens have: `(count - 1) / blockSize`, as the last target needs a token too.
    var wholeBlockCount: Int { sequence.targetCount / blockSize }

    /// The first token of a window.
    ///
    /// - Parameter index: the sequence within the step: `microBatch * batchSize + sample`.
    public func start(step: Int, sequence index: Int) -> Int {
        let total = step * sequencesPerStep + index
        switch rule {
        case .random:
            let random = CounterRandom(seed: seed, stream: stream, site: site, step: UInt32(step), item: UInt32(index))
            return random.integer(0, below: sequence.count - blockSize)
        case .sequential:
            return total % sequence.count * blockSize % sequence.count
        case .epoch(let blockCount):
            let epoch = UInt32(truncatingIfNeeded: total / blockCount)
            let block = block(total % blockCount, of: blockCount, epoch: epoch)
            return min(block * blockSize, sequence.targetCount - blockSize)
        case .shuffledBlocks:
            let random = CounterRandom(seed: seed, stream: stream, site: site)
            return random.permuted(total % wholeBlockCount, of: wholeBlockCount) * blockSize
        }
    }

    /// The block that stands at a place of an epoch's order.
    private func block(_ place: Int, of blockCount: Int, epoch: UInt32) -> Int {
        let shardCount = sequence.shardStarts.count
        let shards = CounterRandom(seed: seed, stream: stream, site: Self.shardSite, step: epoch)
        var place = place
        for turn in 0..<shardCount {
            let shard = shards.permuted(turn, of: shardCount)
            let blocks = blocks(ofShard: shard, blockCount)
            if place < blocks.count {
                let order = CounterRandom(
                    seed: seed,
                    stream: stream,
                    site: Self.blockSite,
                    step: epoch,
                    item: UInt32(shard)
                )
                return blocks.lowerBound + order.permuted(place, of: blocks.count)
            }
            place -= blocks.count
        }
        preconditionFailure("the shards have fewer blocks than the sequence")
    }

    /// The blocks whose first token lies in a shard; the last one may reach into the next shard.
    private func blocks(ofShard shard: Int, _ blockCount: Int) -> Range<Int> {
        func firstBlock(from position: Int) -> Int { min((position + blockSize - 1) / blockSize, blockCount) }
        let starts = sequence.shardStarts
        let isLast = shard + 1 == starts.count
        return firstBlock(from: starts[shard])..<(isLast ? blockCount : firstBlock(from: starts[shard + 1]))
    }

    /// Places of random numbers beside those of random starts, which are at 0.
    private static let (shardSite, blockSite): (UInt32, UInt32) = (1, 2)

    /// Fills in the windows `firstSequence ..< firstSequence + count` of a step.
    ///
    /// - Parameters:
    ///   - tokens: the inputs, (count, blockSize) row-major; resized to fit.
    ///   - targets: the next tokens, in the same shape.
    /// - Throws: `UserError(.data)` when an id is beyond the vocabulary.
    public func fill(
        step: Int,
        firstSequence: Int,
        count: Int,
        tokens: inout [Int32],
        targets: inout [Int32]
    ) throws {
        precondition(firstSequence >= 0 && count >= 0)
        let size = count * blockSize
        if tokens.count != size { tokens = [Int32](repeating: 0, count: size) }
        if targets.count != size { targets = [Int32](repeating: 0, count: size) }
        guard count > 0 else { return }
        try tokens.withUnsafeMutableBufferPointer { tokens in
            try targets.withUnsafeMutableBufferPointer { targets in
                for index in 0..<count {
                    let start = start(step: step, sequence: firstSequence + index)
                    let inputs = tokens.baseAddress! + index * blockSize
                    let shifted = targets.baseAddress! + index * blockSize
                    try sequence.copy(from: start, count: blockSize, into: inputs)
                    try sequence.copy(from: (start + 1) % sequence.count, count: blockSize, into: shifted)
                }
            }
        }
    }
}

extension CounterRandom {
    /// Where a pseudo-random permutation of `0..<count` puts `index`.
    ///
    /// A Feistel network of four rounds over the next power of four, repeated until it lands below `count`
    /// (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002).
    func permuted(_ index: Int, of count: Int) -> Int {
        precondition(index >= 0 && index < count)
        var halfBits = 1
        while 1 << (2 * halfBits) < count { halfBits += 1 }
        let mask = 1 << halfBits - 1
        var value = index
        repeat {
            var (left, right) = (value >> halfBits, value & mask)
            for round in 0..<4 {
                let mixed = Int(block(UInt32(right) << 2 | UInt32(round)).x) & mask
                (left, right) = (right, left ^ mixed)
            }
            value = left << halfBits | right
        } while value >= count
        return value
    }
}
