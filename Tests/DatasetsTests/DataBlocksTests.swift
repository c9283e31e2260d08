import Compute
import Foundation
import Platform
import TestSupport
import Testing

@testable import Datasets

@Suite("Blocks of data that ranks compare")
struct DataBlocksTests {
    let folder: TemporaryFolder

    /// Shards of which the first ends within a block, and ids of 2 bytes.
    init() throws {
        folder = try TemporaryFolder()
        try FileSystem.createFolder(folder("set"))
        for (name, bytes) in [("a_train_0", 1_000_002), ("a_train_1", 3_000_000), ("a_val", 2_000_000)] {
            try Data(repeating: 1, count: bytes).write(to: URL(fileURLWithPath: folder("set/\(name).bin")))
        }
    }

    private func open() throws -> Dataset { try Dataset.open(folder: folder.path, name: "set") }

    private func sampler(_ dataset: Dataset, _ order: BatchSampler.Order) throws -> BatchSampler {
        try BatchSampler(sequence: dataset.train, blockSize: 64, sequencesPerStep: 5, order: order, seed: 3)
    }

    private func contains(_ blocks: [DataBlocks.Block], file: Int, byte: Int) -> Bool {
        blocks.contains { $0.file == file && $0.range.contains(byte) }
    }

    @Test("every token that the first steps read is in a block", arguments: BatchSampler.Order.allCases)
    func firstSteps(order: BatchSampler.Order) throws {
        let dataset = try open()
        let sampler = try sampler(dataset, order)
        // The last one begins before the end of the first shard, or of the data, where steps follow the data.
        for firstStep in [0, 7, 500_001 / 320, 2_000_001 / 320] {
            let blocks = DataBlocks.samples(of: dataset, sampler: sampler, firstStep: firstStep, seed: 1).blocks
            for step in firstStep..<firstStep + DataBlocks.stepCount {
                for sequence in 0..<sampler.sequencesPerStep {
                    let start = sampler.start(step: step, sequence: sequence)
                    for token in [start, start + 30, start + 64] {
                        let position = token % dataset.train.count
                        let shard = dataset.train.shard(at: position)
                        let byte = 2 * (position - dataset.train.shardStarts[shard])
                        #expect(contains(blocks, file: shard, byte: byte), "token \(position) of step \(step)")
                    }
                }
            }
        }
    }

    @Test("the ends of every file are in blocks, which are in order, overlap nowhere and stay within their files")
    func shape() throws {
        let dataset = try open()
        let sampler = try sampler(dataset, .random)
        let blocks = DataBlocks.samples(of: dataset, sampler: sampler, firstStep: 0, seed: 1).blocks
        for (number, file) in dataset.files.enumerated() {
            #expect(contains(blocks, file: number, byte: 0))
            #expect(contains(blocks, file: number, byte: file.byteCount - 1))
        }
        for (one, next) in zip(blocks, blocks.dropFirst()) {
            #expect((one.file, one.range.upperBound) <= (next.file, next.range.lowerBound) || one.file < next.file)
        }
        #expect(blocks.allSatisfy { $0.range.upperBound <= dataset.files[$0.file].byteCount })
        // Of the validation split, what the seed chooses.
        #expect(blocks.filter { $0.file == 2 }.count > DataBlocks.samplesPerSplit / 2)
        #expect(DataBlocks.samples(of: dataset, sampler: sampler, firstStep: 0, seed: 1).blocks == blocks)
        #expect(DataBlocks.samples(of: dataset, sampler: sampler, firstStep: 0, seed: 2).blocks != blocks)
    }

    @Test("long steps do not make it long: windows and bytes have a bound")
    func bounded() throws {
        let dataset = try open()
        let sampler = try BatchSampler(
            sequence: dataset.train,
            blockSize: 4,
            sequencesPerStep: 1_000_000,
            order: .random,
            seed: 3
        )
        let blocks = DataBlocks.samples(of: dataset, sampler: sampler, firstStep: 0, seed: 1).blocks
        // Of a window, two blocks at most.
        #expect(blocks.count <= 2 * DataBlocks.mostWindows + 2 * DataBlocks.samplesPerSplit + 6)
    }

    @Test("all blocks are every byte once, and are hashed as such")
    func all() throws {
        let dataset = try open()
        let blocks = DataBlocks.all(of: dataset)
        #expect(blocks.byteCount == 6_000_002)
        #expect(Set(blocks.blocks).count == blocks.blocks.count && blocks.blocks.count == 1 + 3 + 2)
        func hashes() throws -> [UInt32] {
            let pool = WorkerPool(threadCount: 2)
            return try DataHashes(blocks, of: open(), isWhole: true, pool: pool, worked: {}, progress: { _ in }).blocks
        }
        let before = try hashes()
        var bytes = try FileSystem.read(folder("set/a_train_1.bin"))
        bytes[2_999_999] = 2
        try AtomicFile.write(bytes, to: folder("set/a_train_1.bin"))
        let after = try hashes()
        #expect(before.indices.filter { before[$0] != after[$0] } == [3])
    }
}
