import Compute
import Platform

/// Chooses the windows of tokens for each training or evaluation step, as a pure function of (seed, step, sequence).
///
/// A window has `blockSize` inputs. Its targets are the same tokens shifted by one, so it reads `blockSize + 1` tokens.
/// The result does not depend on which rank or thread reads a sequence, nor on the order of reads.
public struct BatchSampler: Sendable {
    /// The order of training windows.
    public enum Order: String, CaseIterable, Sendable {
        /// Starts are uniformly random in `0 ..< count - blockSize`, as in nanoGPT. Windows do not wrap.
        case random
        /// Sequence q of step s starts at token `((s * sequencesPerStep + q) * blockSize) mod count`. Windows wrap at
        /// the end of the tokens: input i is token `(start + i) mod count`, and target i is token
        /// `(start + i + 1) mod count`.
        case sequential
        /// Each epoch uses every block `[b * blockSize, (b + 1) * blockSize]` once. Each epoch visits the shards in a
        /// different random order, and the blocks that start in a shard in a different random order. An epoch reads one
        /// shard at a time, so data larger than memory is read from disk once per epoch. The last block starts earlier
        /// if it would reach beyond the end, so every token except the first is a target in each epoch, and some are
        /// targets twice.
        case epoch
    }

    private enum Rule: Sendable {
        case random, sequential
        case epoch(blockCount: Int)
        /// Blocks `[b * blockSize, (b + 1) * blockSize]` in pseudo-random order. Windows do not overlap until every
        /// block was used once.
        case shuffledBlocks

    }

    /// The tokens from which windows are read.
    public let sequence: TokenSequence
    /// The number of inputs per window.
    public let blockSize: Int
    /// The number of sequences per step over all micro-batches and ranks: gradient accumulation steps times batch size.
    public let sequencesPerStep: Int
    /// Whether the order `epoch` covers the tokens that do not fill a whole block. Early versions left them out.
    public let epochCoversTail: Bool
    private let rule: Rule
    private let seed: UInt64
    private let stream: RandomStream
    private let site: UInt32

    /// Creates a sampler for training.
    ///
    /// - Throws: `UserError(.usage)` if the data has fewer than `blockSize + 1` tokens.
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

    /// Creates a sampler for estimating the loss of a split.
    ///
    /// Step k is batch k. The batches are the same at every evaluation, so losses can be compared. Windows do not
    /// overlap while the split has unused blocks, so their errors are independent. In a split shorter than a block,
    /// each window is the whole split.
    ///
    /// - Throws: `UserError(.usage)` if the split has fewer than two tokens.
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

    /// The number of windows without overlap: `(count - 1) / blockSize`, because the last target needs a token too.
    var wholeBlockCount: Int { sequence.targetCount / blockSize }

    /// The position of a window's first token.
    ///
    /// - Parameters:
    ///   - step: the step, from 0.
    ///   - index: the sequence within the step: `microBatch * batchSize + sample`.
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

    /// The block at a position in the order of an epoch.
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

    /// The blocks whose first token is in a shard. The last one may extend into the next shard.
    private func blocks(ofShard shard: Int, _ blockCount: Int) -> Range<Int> {
        func firstBlock(from position: Int) -> Int { min((position + blockSize - 1) / blockSize, blockCount) }
        let starts = sequence.shardStarts
        let isLast = shard + 1 == starts.count
        return firstBlock(from: starts[shard])..<(isLast ? blockCount : firstBlock(from: starts[shard + 1]))
    }

    /// Sites of random numbers, different from site 0 of the random starts.
    private static let (shardSite, blockSite): (UInt32, UInt32) = (1, 2)

    /// Reads the windows `firstSequence ..< firstSequence + count` of a step.
    ///
    /// - Parameters:
    ///   - step: the step, from 0.
    ///   - firstSequence: the first sequence within the step.
    ///   - count: the number of sequences.
    ///   - tokens: receives the inputs, (count, blockSize) row-major. Resized to fit.
    ///   - targets: receives the next tokens, in the same shape. Resized to fit.
    /// - Throws: `UserError(.data)` if an id is not below the vocabulary size.
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
    /// The value of a pseudo-random permutation of `0..<count` at `index`.
    ///
    /// Applies a Feistel network of four rounds over the next power of four, repeatedly until the value is below
    /// `count` (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002).
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
