import Collectives
import Compute
import Configuration
import Formats
import Foundation
import Platform
import Preparation
import TestSupport
import Testing

@testable import Datasets
@testable import Training

/// Ranks as threads, each with a copy of the data of its own.
@Suite("Comparison of the ranks' data")
struct DataComparisonTests {
    let folder: TemporaryFolder

    private static let sizes = [
        ("train_000000.bin", 3_000_000), ("train_000001.bin", 2_999_998), ("val.bin", 2_000_000),
    ]
    private static let seed = 5

    init() throws {
        folder = try TemporaryFolder()
        let data = folder("rank0")
        _ = try DataPreparation.run(
            PreparationRequest(source: .demo(seed: 1, characters: 5000), name: "set", dataFolder: data)
        )
        var description = try DatasetDescription(path: data + "/set/dataset.json")
        let files = try Self.sizes.map { name, size in
            let path = data + "/set/" + name
            try Data(repeating: 1, count: size).write(to: URL(fileURLWithPath: path))
            return DatasetDescription.File(name: name, tokens: size / 2, sha256: try Checksum.sha256(ofFile: path))
        }
        try FileSystem.remove(data + "/set/train.bin")
        (description.train, description.validation) = (Array(files[..<2]), [files[2]])
        try AtomicFile.write(description.text, to: data + "/set/dataset.json")
        for rank in 1...2 { try FileManager.default.copyItem(atPath: data, toPath: folder("rank\(rank)")) }
    }

    // MARK: - Damage and comparison

    private func damage(_ rank: Int, _ file: String, _ bytes: Range<Int>, with value: UInt8 = 9) throws {
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: folder("rank\(rank)/set/\(file)")))
        try handle.seek(toOffset: UInt64(bytes.lowerBound))
        try handle.write(contentsOf: Data(repeating: value, count: bytes.count))
        try handle.close()
    }

    private func removeDescriptions() throws {
        for rank in 0...2 { try FileSystem.remove(folder("rank\(rank)/set/dataset.json")) }
    }

    private func open(_ rank: Int = 0) throws -> Dataset {
        try Dataset.open(folder: folder("rank\(rank)"), name: "set")
    }

    private static func sampler(_ dataset: Dataset) throws -> BatchSampler {
        try BatchSampler(sequence: dataset.train, blockSize: 32, sequencesPerStep: 4, order: .random, seed: 1)
    }

    private final class Lines { var all: [String] = [] }

    /// The lines that each rank prints.
    private func compare(
        ranks: Int = 2,
        _ extent: DataVerification = .samples,
        firstStep: Int = 0,
        seed: Int = seed,
        folders: [Int] = [0, 1, 2],
        opened: @escaping (Int) throws -> Void = { _ in }
    ) -> [Result<[String], any Error>] {
        let paths = folders.map { folder("rank\($0)") }
        return RankThreads.run(ranks) { communicator in
            let dataset = try Dataset.open(folder: paths[communicator.rank], name: "set")
            try opened(communicator.rank)
            let lines = Lines()
            let sink = RunOutput.Sink(line: { lines.all.append($0) }, note: { lines.all.append($0) })
            let comparison = DataComparison(
                dataset: dataset,
                pool: WorkerPool(threadCount: 2),
                communicator: communicator,
                output: RunOutput(sink, linesGoToTerminal: false)
            )
            try comparison.checkFingerprints()
            try comparison.run(extent, Self.sampler(dataset), firstStep: firstStep, seed: seed)
            return lines.all
        }
    }

    /// The message that every rank ends with.
    private func refusal(
        _ results: [Result<[String], any Error>],
        _ kind: UserError.Kind = .data
    ) throws -> String {
        let errors = results.map { result in
            let error = #expect(throws: (any Error).self) { try result.get() }
            return (error as? JobError)?.error ?? error as? UserError
        }
        #expect(errors.allSatisfy { $0 == errors[0] && $0?.kind == kind }, "\(errors)")
        return errors[0]?.message ?? ""
    }

    private func blocks(firstStep: Int = 0, seed: Int = seed) throws -> [DataBlocks.Block] {
        let dataset = try open()
        return DataBlocks.samples(
            of: dataset,
            sampler: try Self.sampler(dataset),
            firstStep: firstStep,
            seed: UInt64(seed)
        ).blocks
    }

    // MARK: - Tests

    @Test("equal copies pass, and rank 0 says so", arguments: [DataVerification.samples, .full])
    func equal(extent: DataVerification) throws {
        let lines = try compare(ranks: 3, extent).map { try $0.get() }
        let text =
            extent == .full
            ? "verified 8.0 MB of data on 3 ranks in "
            : "compared \(try blocks().count) blocks of the data on 3 ranks in "
        #expect(lines[0].count == 1 && lines[0][0].hasPrefix(text), "\(lines)")
        #expect(lines[1].isEmpty && lines[2].isEmpty)
    }

    @Test("a block in the middle of a file is compared where the first steps of this run read it, not before")
    func firstSteps() throws {
        let dataset = try open()
        let (sampler, samples) = (try Self.sampler(dataset), try blocks())
        let start = try #require(
            (0..<4).map { sampler.start(step: 100, sequence: $0) }.first { start in
                start < 1_499_000 && !samples.contains { $0.file == 0 && $0.range.contains(2 * start) }
            }
        )
        try damage(1, "train_000000.bin", 2 * start..<2 * start + 1, with: 33)
        _ = try compare().map { try $0.get() }
        let message = try refusal(compare(firstStep: 100))
        let block = 2 * start / 4096 * 4096
        let place = "in set/train_000000.bin than rank 0 (host0), first at bytes \(block)–\(block + 4095) (1 of "
        #expect(message.hasPrefix("rank 1 (host1) has other bytes " + place), "\(message)")
    }

    @Test("the last block of a later shard is compared")
    func lastBlock() throws {
        try damage(1, "train_000001.bin", 2_999_996..<2_999_997, with: 33)
        let message = try refusal(compare())
        #expect(
            message.contains("in set/train_000001.bin than rank 0 (host0), first at bytes 2998272–2999997 (1 of"),
            "\(message)"
        )
    }

    @Test("a block that the seed chooses is compared")
    func sampled() throws {
        let (own, other) = (try blocks(), Set(try blocks(seed: 6)))
        let block = try #require(own.first { $0.file == 2 && !other.contains($0) })
        try damage(1, "val.bin", block.range.lowerBound..<block.range.lowerBound + 1, with: 33)
        _ = try compare(seed: 6).map { try $0.get() }
        #expect(
            try refusal(compare()).contains(
                "set/val.bin than rank 0 (host0), first at bytes \(block.range.lowerBound)–"
            )
        )
    }

    /// A byte of the first shard that is in no sample.
    private func unsampledByte() throws -> Int {
        let samples = try blocks()
        return try #require(
            stride(from: 0, to: 2_900_000, by: 4096).first { byte in
                !samples.contains { $0.file == 0 && $0.range.contains(byte) }
            }
        )
    }

    @Test("every byte is compared on request, between ranks and with dataset.json")
    func full() throws {
        let byte = try unsampledByte()
        try damage(1, "train_000000.bin", byte..<byte + 1, with: 33)
        _ = try compare().map { try $0.get() }
        let start = byte / (1 << 20) << 20
        #expect(
            try refusal(compare(.full)) == """
                rank 1 (host1) has other bytes in set/train_000000.bin than rank 0 (host0), first at bytes \
                \(start)–\(start + (1 << 20) - 1) (1 of 8 compared blocks differs); rank 0 (host0) has the file that \
                `ddp-train prepare` wrote; copy the file again
                """
        )
        let mismatch = """
            \(folder("rank1/set/train_000000.bin")) is not the file that `ddp-train prepare` wrote: its SHA-256 differs \
            from the one in dataset.json; copy it again, or prepare the dataset again
            """
        #expect(try refusal(compare(ranks: 1, .full, folders: [1])) == mismatch)
        // Two ranks with the same wrong copy.
        #expect(try refusal(compare(ranks: 2, .full, folders: [1, 1])) == mismatch)
        // The wrong copy is rank 0's.
        #expect(
            try refusal(compare(ranks: 3, .full, folders: [1, 0, 2])).hasSuffix(
                "; rank 1 (host1), rank 2 (host2) have the file that `ddp-train prepare` wrote; copy the file again"
            )
        )
    }

    @Test("one rank compares nothing unless it is asked to, and then says what it compared with")
    func oneRank() throws {
        #expect(try compare(ranks: 1)[0].get().isEmpty)
        #expect(try compare(ranks: 1, .full)[0].get()[0].hasPrefix("verified 8.0 MB of data by dataset.json in "))
        try removeDescriptions()
        #expect(
            try compare(ranks: 1, .full)[0].get()[0].hasPrefix("verify_data=full has nothing to compare the data with")
        )
    }

    @Test("of three ranks the one that differs is named, and who agrees")
    func threeRanks() throws {
        try damage(2, "val.bin", 100..<101, with: 33)
        let message = try refusal(compare(ranks: 3))
        #expect(
            message.hasPrefix(
                "rank 2 (host2) has other bytes in set/val.bin than rank 0 (host0), first at bytes 0–4095 ("
            )
        )
        #expect(message.hasSuffix("; rank 1 (host1) agrees with rank 0 (host0); copy the file again"))
        let turned = try refusal(compare(ranks: 3, folders: [2, 1, 0]))
        #expect(turned.hasPrefix("rank 1 (host1), rank 2 (host2) have other bytes in set/val.bin than rank 0 (host0)"))
        #expect(
            turned.hasSuffix(
                "; the others agree with each other, so that the copy of rank 0 (host0) may be the wrong one; copy the file again"
            )
        )
    }

    @Test("a copy that was cut short into a file of its final size is told by its zeros", arguments: [true, false])
    func hole(isDescribed: Bool) throws {
        if !isDescribed { try removeDescriptions() }
        try damage(1, "train_000001.bin", 2_000_000..<2_999_998, with: 0)
        let message = try refusal(compare())
        #expect(
            message.hasPrefix(
                "rank 1 (host1) has other bytes in set/train_000001.bin than rank 0 (host0), first at bytes "
            )
        )
        #expect(message.contains("; rank 1 (host1) has only zeros at bytes "), "\(message)")
        #expect(try refusal(compare(folders: [1, 0])).contains("; rank 0 (host0) has only zeros at bytes "))
    }

    @Test("without dataset.json files of other sizes are named, and what no file explains")
    func otherFiles() throws {
        try removeDescriptions()
        try AtomicFile.write([UInt8](repeating: 1, count: 1000), to: folder("rank1/set/val.bin"))
        #expect(
            try refusal(compare()) == """
                rank 1 (host1) has another dataset set than rank 0 (host0): val.bin of 1000 bytes, not val.bin of 2000000 \
                bytes; copy the dataset again
                """
        )
    }

    @Test("a rank that cannot read says so, and all end with its code")
    func unreadable() throws {
        let path = folder("rank1/set/val.bin")
        let results = compare(ranks: 3) { if $0 == 1 { try FileSystem.remove(path) } }
        #expect(try refusal(results, .inputOutput) == "rank 1 (host1): cannot open \(path): No such file or directory")
    }

    @Test("a rank whose file became shorter says so")
    func shortened() throws {
        let path = folder("rank1/set/val.bin")
        let results = compare { if $0 == 1 { truncate(path, 500_000) } }
        let message = try refusal(results)
        #expect(message.hasPrefix("rank 1 (host1): \(path) has fewer than "), "\(message)")
        #expect(message.hasSuffix(" bytes: it was cut short since it was opened"), "\(message)")
    }
}
