import Compute

/// Blocks of a dataset's files whose bytes tell whether two copies are the same.
public struct DataBlocks: Sendable {
    /// A part of a file.
    public struct Block: Hashable, Sendable {
        /// Of the dataset's files, those of training first.
        public let file: Int
        /// In bytes from the file's start.
        public let range: Range<Int>
    }

    /// In the order of files and bytes; no two overlap.
    public let blocks: [Block]

    /// Bytes of a sample: the smallest part of a file that is missing after a copy was cut short.
    static let sampleSize = 4096
    /// Bytes of a block where every byte is compared.
    static let wholeSize = 1 << 20
    /// Windows of the first steps at most: each is one access to a disk or a server.
    static let mostWindows = 1024
    /// Bytes of these windows at most.
    static let mostWindowBytes = 32 << 20
    /// Steps whose windows are looked at.
    static let stepCount = 10
    /// Blocks that the seed chooses in each split.
    static let samplesPerSplit = 128

    /// Bytes of all blocks.
    public var byteCount: Int { blocks.reduce(0) { $0 + $1.range.count } }

    /// Every byte of the dataset's files.
    public static func all(of dataset: Dataset) -> DataBlocks {
        DataBlocks(
            blocks: dataset.files.enumerated().flatMap { number, file in
                stride(from: 0, to: file.byteCount, by: wholeSize).map { start in
                    Block(file: number, range: start..<min(start + wholeSize, file.byteCount))
                }
            }
        )
    }

    /// What the fingerprint of a dataset without dataset.json is made of.
    public static func fingerprinted(of dataset: Dataset) -> DataBlocks {
        var choice = Choice(dataset.files)
        for (number, file) in dataset.files.enumerated() where file.byteCount > 0 {
            let piece = min(file.byteCount, TokenFile.fingerprintedBytes)
            choice.add(0..<piece, of: number)
            choice.add(file.byteCount - piece..<file.byteCount, of: number)
        }
        return DataBlocks(blocks: choice.blocks)
    }

    /// The first and the last block of every file, those that the steps from `firstStep` on read, and some that the seed
    /// chooses for that step.
    ///
    /// What is read is bounded, except by the number of files: 32 MiB of the steps and 1 MiB of the seed's choice.
    ///
    /// - Parameters:
    ///   - sampler: of the dataset's training split.
    ///   - seed: of the job.
    public static func samples(
        of dataset: Dataset,
        sampler: BatchSampler,
        firstStep: Int,
        seed: UInt64
    ) -> DataBlocks {
        var choice = Choice(dataset.files)
        for (number, file) in dataset.files.enumerated() where file.byteCount > 0 {
            choice.add(0..<1, of: number)
            choice.add(file.byteCount - 1..<file.byteCount, of: number)
        }
        choice.add(windowsOf: sampler, from: firstStep)
        let random = CounterRandom(seed: seed, stream: .dataBlocks, step: UInt32(truncatingIfNeeded: firstStep))
        choice.add(from: dataset.train.files.indices, random, firstIndex: 0)
        let validation = dataset.train.files.count..<dataset.files.count
        choice.add(from: validation, random, firstIndex: samplesPerSplit)
        return DataBlocks(blocks: choice.blocks)
    }

    /// Samples that are chosen one after the other, each once.
    private struct Choice {
        private let files: [TokenFile]
        /// The numbers of each file's chosen blocks.
        private var numbers: [Set<Int>]

        init(_ files: [TokenFile]) {
            self.files = files
            numbers = files.map { _ in [] }
        }

        var blocks: [Block] {
            zip(files.indices, numbers).flatMap { file, numbers in
                numbers.sorted().map { number in
                    let start = number * sampleSize
                    return Block(file: file, range: start..<min(start + sampleSize, files[file].byteCount))
                }
            }
        }

        /// The blocks that some bytes of a file lie in.
        mutating func add(_ bytes: Range<Int>, of file: Int) {
            numbers[file].formUnion(bytes.lowerBound / sampleSize...(bytes.upperBound - 1) / sampleSize)
        }

        /// What the first steps read, step by step.
        mutating func add(windowsOf sampler: BatchSampler, from firstStep: Int) {
            var (windows, bytes) = (0, 0)
            for step in firstStep..<firstStep + stepCount {
                for sequence in 0..<sampler.sequencesPerStep {
                    guard windows < mostWindows, bytes < mostWindowBytes else { return }
                    windows += 1
                    let start = sampler.start(step: step, sequence: sequence)
                    for part in sampler.sequence.parts(from: start, count: sampler.blockSize + 1) {
                        let range = files[part.shard].bytes(ofTokens: part.range)
                        add(range, of: part.shard)
                        bytes += range.count
                    }
                }
            }
        }

        /// Some of the blocks of files, or all where there are few.
        mutating func add(from chosen: Range<Int>, _ random: CounterRandom, firstIndex: Int) {
            var ends: [Int] = []
            for file in chosen { ends.append((ends.last ?? 0) + (files[file].byteCount + sampleSize - 1) / sampleSize) }
            guard let count = ends.last, count > 0 else { return }
            let isEach = count <= samplesPerSplit
            for index in 0..<min(count, samplesPerSplit) {
                let block = isEach ? index : random.integer(UInt32(firstIndex + index), below: count)
                let place = ends.firstIndex { block < $0 }!
                numbers[chosen.lowerBound + place].insert(place == 0 ? block : block - ends[place - 1])
            }
        }
    }
}
