import Compute
import Platform
import TestSupport
import Testing

@testable import Datasets

@Suite("Batch sampling")
struct BatchSamplerTests {
    /// Token i has id i, so a window shows where it starts.
    private func counting(_ count: Int) throws -> TokenSequence {
        try TokenSequence(tokens: (0..<Int32(count)).map { $0 }, vocabularySize: count)
    }

    private func batch(_ sampler: BatchSampler, step: Int, first: Int, count: Int) throws -> (x: [Int32], y: [Int32]) {
        var (tokens, targets): ([Int32], [Int32]) = ([], [])
        try sampler.fill(step: step, firstSequence: first, count: count, tokens: &tokens, targets: &targets)
        return (tokens, targets)
    }

    @Test(
        "sequential: sample j of micro-batch m of step s starts at ((s*accumulation + m)*batch_size + j)*block_size, and wraps"
    )
    func sequential() throws {
        let (accumulation, batchSize, blockSize, count) = (3, 2, 4, 37)
        let sampler = try BatchSampler(
            sequence: counting(count),
            blockSize: blockSize,
            sequencesPerStep: accumulation * batchSize,
            order: .sequential,
            seed: 1
        )
        for step in 0..<5 {
            for microBatch in 0..<accumulation {
                let (x, y) = try batch(sampler, step: step, first: microBatch * batchSize, count: batchSize)
                for sample in 0..<batchSize {
                    let start = ((step * accumulation + microBatch) * batchSize + sample) * blockSize
                    for index in 0..<blockSize {
                        #expect(x[sample * blockSize + index] == Int32((start + index) % count))
                        #expect(y[sample * blockSize + index] == Int32((start + index + 1) % count))
                    }
                }
            }
        }
    }

    @Test("random: windows do not wrap, targets are the next tokens, and every start can occur")
    func random() throws {
        let sampler = try BatchSampler(
            sequence: counting(20),
            blockSize: 16,
            sequencesPerStep: 8,
            order: .random,
            seed: 1337
        )
        var starts: Set<Int32> = []
        for step in 0..<20 {
            let (x, y) = try batch(sampler, step: step, first: 0, count: 8)
            for sample in 0..<8 {
                let start = x[sample * 16]
                starts.insert(start)
                #expect(Array(x[sample * 16..<(sample + 1) * 16]) == Array(start..<start + 16))
                #expect(Array(y[sample * 16..<(sample + 1) * 16]) == Array(start + 1..<start + 17))
            }
        }
        // As in nanoGPT, starts are below count - block_size, so the last possible window is never used.
        #expect(starts == [0, 1, 2, 3])
    }

    @Test("a sequence does not depend on how it is read, and differs between seeds and steps")
    func independence() throws {
        let tokens = try counting(10_000)
        let sampler = try BatchSampler(sequence: tokens, blockSize: 8, sequencesPerStep: 12, order: .random, seed: 7)
        let whole = try batch(sampler, step: 3, first: 0, count: 12)
        let part = try batch(sampler, step: 3, first: 5, count: 2)
        #expect(part.x == Array(whole.x[40..<56]))
        #expect(part.y == Array(whole.y[40..<56]))
        let other = try BatchSampler(sequence: tokens, blockSize: 8, sequencesPerStep: 12, order: .random, seed: 8)
        #expect(try batch(other, step: 3, first: 0, count: 12).x != whole.x)
        #expect(try batch(sampler, step: 4, first: 0, count: 12).x != whole.x)
    }

    /// Other numbers here would mean that the data order of existing runs has changed.
    @Test("the starts of a seed are the same as in earlier versions")
    func golden() throws {
        let sampler = try BatchSampler(
            sequence: counting(1_003_854),
            blockSize: 64,
            sequencesPerStep: 12,
            order: .random,
            seed: 1337
        )
        let expected = (0..<4).map { index in
            CounterRandom(seed: 1337, stream: .trainingBatches, step: 5, item: UInt32(index)).integer(
                0,
                below: 1_003_790
            )
        }
        #expect((0..<4).map { sampler.start(step: 5, sequence: $0) } == expected)
        #expect(expected == [423_525, 245_446, 601_191, 277_037])
    }

    @Test("evaluation windows do not overlap until all blocks were used, and are the same at every evaluation")
    func evaluation() throws {
        let tokens = try counting(1001)
        func sampler(_ split: Dataset.Split) throws -> BatchSampler {
            try BatchSampler.evaluation(sequence: tokens, blockSize: 10, batchSize: 7, split: split, seed: 1)
        }
        let validation = try sampler(.validation)
        #expect(validation.wholeBlockCount == 100)
        let starts = (0..<100).map { validation.start(step: $0 / 7, sequence: $0 % 7) }
        #expect(starts.sorted() == Array(stride(from: 0, to: 1000, by: 10)))
        #expect(starts != starts.sorted())
        #expect((0..<100).map { validation.start(step: $0 / 7, sequence: $0 % 7) } == starts)
        let train = try sampler(.train)
        #expect((0..<100).map { train.start(step: $0 / 7, sequence: $0 % 7) } != starts)
        // The permutation starts again after the last block.
        #expect(validation.start(step: 0, sequence: 100) == starts[0])
    }

    @Test("every index occurs once in a permutation", arguments: [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000])
    func permutation(count: Int) {
        let random = CounterRandom(seed: 5, stream: .test)
        #expect(Set((0..<count).map { random.permuted($0, of: count) }) == Set(0..<count))
    }

    /// Token i has id i, in shards of these sizes.
    private func counting(shards: [Int], in folder: TemporaryFolder) throws -> TokenSequence {
        var next: UInt16 = 0
        let files = try shards.enumerated().map { index, count in
            let ids = (next..<next + UInt16(count)).map(\.littleEndian)
            next += UInt16(count)
            try ids.withUnsafeBytes { try AtomicFile.write($0, to: folder("\(index)")) }
            return try TokenFile(path: folder("\(index)"))
        }
        return TokenSequence(files: files, vocabularySize: Int(next))
    }

    @Test(
        "epoch: each epoch uses every block once, shard by shard, in a new order, for any shard size and number of sequences per step",
        arguments: [[1001], [97, 1, 400, 63, 64, 5, 371], [3, 3, 3, 3]],
        [1, 7, 16]
    )
    func epoch(shards: [Int], sequencesPerStep: Int) throws {
        let folder = try TemporaryFolder()
        let tokens = try counting(shards: shards, in: folder)
        let blockSize = shards.count == 4 ? 2 : 8
        func sampler(seed: UInt64 = 9, perStep: Int) throws -> BatchSampler {
            try BatchSampler(
                sequence: tokens,
                blockSize: blockSize,
                sequencesPerStep: perStep,
                order: .epoch,
                seed: seed
            )
        }
        let epoch = try sampler(perStep: sequencesPerStep)
        // The last block starts earlier if its targets would reach beyond the end.
        let last = tokens.count - 1 - blockSize
        let blocks = (tokens.count - 2) / blockSize + 1
        let starts = (0..<3 * blocks).map { epoch.start(step: $0 / sequencesPerStep, sequence: $0 % sequencesPerStep) }
        let epochs = (0..<3).map { Array(starts[$0 * blocks..<($0 + 1) * blocks]) }
        for epoch in epochs {
            #expect(epoch.sorted() == (0..<blocks).map { min($0 * blockSize, last) })
            #expect(Set(epoch.flatMap { $0 + 1...$0 + blockSize }) == Set(1..<tokens.count), "every target")
            // All blocks that start in a shard are consecutive.
            let visited = epoch.filter { $0 % blockSize == 0 }.map { tokens.shard(at: $0) }
            let changes = zip(visited, visited.dropFirst()).filter { $0 != $1 }.count
            #expect(changes == Set(visited).count - 1)
        }
        #expect(blocks < 10 || Set(epochs).count == 3 && epochs[0] != epochs[0].sorted())
        // Only the total number of a sequence matters, so any batch size and any resume continue with the same order.
        let single = try sampler(perStep: 1)
        #expect((0..<3 * blocks).map { single.start(step: $0, sequence: 0) } == starts)
        let other = try sampler(seed: 10, perStep: 1)
        #expect(blocks < 10 || (0..<blocks).map { other.start(step: $0, sequence: 0) } != epochs[0])
        // Windows can span shards.
        let (x, y) = try batch(epoch, step: 0, first: 0, count: 1)
        #expect(x == (0..<Int32(blockSize)).map { $0 + Int32(starts[0]) })
        #expect(y == x.map { $0 + 1 })
    }

    @Test("epoch: the order of a seed is the same as in earlier versions")
    func epochGolden() throws {
        let folder = try TemporaryFolder()
        let sampler = try BatchSampler(
            sequence: counting(shards: [97, 1, 400, 63, 64, 5, 371], in: folder),
            blockSize: 8,
            sequencesPerStep: 4,
            order: .epoch,
            seed: 1337
        )
        #expect((0..<4).map { sampler.start(step: 3, sequence: $0) } == [24, 520, 536, 544])
    }

    @Test("epoch: the order of early versions leaves out tokens that do not fill a block")
    func epochWithoutTail() throws {
        func starts(_ count: Int, coversTail: Bool) throws -> [Int] {
            let sampler = try BatchSampler(
                sequence: counting(count),
                blockSize: 8,
                sequencesPerStep: 4,
                order: .epoch,
                epochCoversTail: coversTail,
                seed: 1337
            )
            return (0..<12).map { sampler.start(step: $0 / 4, sequence: $0 % 4) }
        }
        // 4 blocks and a tail of 5 targets: an epoch has 4 blocks without the tail, or 5 with it, of which the last
        // starts at 38 - 1 - 8.
        let old = try starts(38, coversTail: false)
        #expect(old == [0, 24, 8, 16, 16, 0, 8, 24, 8, 0, 16, 24])
        #expect(try Set(starts(38, coversTail: true)) == [0, 8, 16, 24, 29])
        #expect(try starts(33, coversTail: true) == starts(33, coversTail: false), "no tail")
    }

    @Test(
        "blocks cover a whole split in order, without overlap, and each target occurs once",
        arguments: [0, 1, 2, 8, 9, 10, 33, 35],
        [1, 3, 8]
    )
    func wholeSplit(count: Int, batchSize: Int) throws {
        let blocks = SplitBlocks(try counting(count), blockSize: 8, batchSize: batchSize)
        var (x, y): ([Int32], [Int32]) = ([], [])
        var (inputs, targets): ([Int32], [Int32]) = ([], [])
        for batch in blocks.batches {
            #expect(batch.count <= batchSize && (1...8).contains(batch.length))
            try blocks.read(batch, tokens: &x, targets: &y)
            (inputs, targets) = (inputs + x, targets + y)
        }
        #expect(targets == (0..<Int32(count)).dropFirst().map { $0 })
        #expect(inputs == targets.map { $0 - 1 })
        #expect(blocks.batches.dropLast().allSatisfy { $0.length == 8 })
    }

    @Test("the ranks of a job together read a whole epoch, for any number of ranks", arguments: [1, 2, 3, 4])
    func epochOfRanks(worldSize: Int) throws {
        let sampler = try BatchSampler(
            sequence: counting(38),
            blockSize: 8,
            sequencesPerStep: 5,
            order: .epoch,
            seed: 3
        )
        let ranges = (0..<worldSize).map { 5 * $0 / worldSize..<5 * ($0 + 1) / worldSize }
        let targets = try ranges.flatMap { try batch(sampler, step: 0, first: $0.lowerBound, count: $0.count).y }
        #expect(Set(targets) == Set(1..<38))
    }

    @Test(
        "a block size longer than the data is a usage error with the largest possible size",
        arguments: [10, 11, 64]
    )
    func tooLong(blockSize: Int) throws {
        let tokens = try TokenSequence(
            tokens: .init(repeating: 0, count: 10),
            vocabularySize: 1,
            source: "data/x/val.bin"
        )
        let expected = UserError(
            .usage,
            """
            block_size \(blockSize) is longer than the data: data/x/val.bin has 10 tokens, so block_size can be at \
            most 9
            """
        )
        #expect(throws: expected) {
            try BatchSampler(sequence: tokens, blockSize: blockSize, sequencesPerStep: 1, order: .random, seed: 0)
        }
        let longest = try BatchSampler(sequence: tokens, blockSize: 9, sequencesPerStep: 1, order: .random, seed: 0)
        #expect(longest.start(step: 0, sequence: 0) == 0)
    }
}
