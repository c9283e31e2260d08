import Formats
import Platform
import TestSupport
import Testing

@testable import Datasets
@testable import Preparation
@testable import Tokenizers

/// A byte tokenizer with an end-of-text token and a vocabulary of any size.
private struct EndingTokenizer: Tokenizer {
    let name = "ending"
    var vocabularySize = 257
    let endOfText: Int32? = 256

    func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) throws {
        guard !text.contains(0) else { throw UserError(.data, "a zero") }
        ids.append(contentsOf: text.lazy.map { Int32($0) })
    }
    func lastCut(in text: UnsafeRawBufferPointer) -> Int { text.count }
    func decode(_ ids: [Int32]) -> [UInt8] { ids.compactMap { UInt8(exactly: $0) } }
}

@Suite("Token pipeline")
struct TokenPipelineTests {
    let folder: TemporaryFolder
    private static let share = 0.25

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Documents of different lengths for several batches. The last document is long.
    private static let documents: [[UInt8]] = (0..<300).map { number in
        let length = number == 299 ? 3_000_000 : number * 37 % 400 + 1
        return (0..<length).map { UInt8(($0 &* 7 + number) % 255 + 1) }
    }

    private static let batches: [TextBatch] = {
        var batches: [TextBatch] = []
        var assembler = TextAssembler { $0.count }
        for (number, document) in documents.enumerated() {
            assembler.begin("\(number)", form: .text, split: nil)
            try! document.withUnsafeBytes { try assembler.append($0) }
            try! assembler.end()
            // Small batches give many places to stop at.
            if number % 10 == 0 || number == 299, let batch = assembler.takeRest() { batches.append(batch) }
        }
        return batches
    }()

    private struct Stopped: Error {}

    private func pipeline(
        _ name: String,
        tokenizer: EndingTokenizer = EndingTokenizer(),
        settings: String = "s",
        threads: Int = 2,
        savedTokens: Int = 3000
    ) throws -> TokenPipeline {
        try FileSystem.createFolder(folder(name))
        let type = tokenizer.vocabularySize > TokenFile.largestVocabulary ? TokenFile.ElementType.uint32 : .uint16
        let state = PreparationState.load(folder: folder(name), settings: settings, elementType: type)
        return try TokenPipeline(
            folder: folder(name),
            encoder: BatchEncoder(
                tokenizer: tokenizer,
                elementType: type,
                documentEnd: [256],
                documentSplit: DocumentSplit(validationShare: Self.share, seed: 7)
            ),
            shardSize: 10_000,
            state: state ?? PreparationState(settings: settings),
            threadCount: threads,
            savedTokens: savedTokens
        )
    }

    /// Returns a closure that returns the batches up to `stop` and then throws an error.
    private func text(_ batches: [TextBatch] = Self.batches, until stop: Int = .max) -> () throws -> TextBatch? {
        var index = 0
        return {
            guard index < stop else { throw Stopped() }
            guard index < batches.count else { return nil }
            defer { index += 1 }
            return batches[index]
        }
    }

    private func contents(_ name: String) throws -> [String: String] {
        var contents: [String: String] = [:]
        for file in try FileSystem.names(inFolder: folder(name)) where file != PreparationState.fileName {
            contents[file] = try Checksum.sha256(ofFile: folder(name) + "/" + file)
        }
        return contents
    }

    /// Reads the ids of a split from all its shards.
    private func ids(_ name: String, _ state: ShardWriter.State) throws -> [UInt16] {
        try state.files.flatMap { file in
            let bytes = try FileSystem.read(folder(name) + "/" + file.name)
            return bytes.withUnsafeBytes { bytes in
                (0..<bytes.count / 2).map {
                    UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
                }
            }
        }
    }

    @Test(
        "documents keep their order, are followed by end-of-text, and are in the split of their hash",
        arguments: [1, 3]
    )
    func content(threads: Int) throws {
        let pipeline = try pipeline("a", threads: threads)
        try pipeline.run(next: text()) { _ in }
        try pipeline.finish()
        let split = DocumentSplit(validationShare: Self.share, seed: 7)
        var expected: [Dataset.Split: [UInt16]] = [:]
        var counts: [Dataset.Split: Int] = [:]
        for document in Self.documents {
            let own = document.withUnsafeBytes { split.split(of: $0) }
            expected[own, default: []] += document.map { UInt16($0) } + [256]
            counts[own, default: 0] += 1
        }
        #expect(try ids("a", pipeline.state.train) == expected[.train])
        #expect(try ids("a", pipeline.state.validation) == expected[.validation])
        #expect(pipeline.state.train.documents == counts[.train])
        #expect(pipeline.state.validation.documents == counts[.validation])
        #expect(pipeline.state.textBytes == Self.documents.reduce(0) { $0 + $1.count })
        // The expected number is a quarter of 300. The tolerance is four standard deviations.
        #expect(abs(pipeline.state.validation.documents - 75) < 30)
        for file in pipeline.state.train.files.dropLast() { #expect(file.tokens == 10_000) }
        #expect(pipeline.state.train.files[1].name == "train_000001.bin")
        for file in pipeline.state.train.files {
            #expect(try Checksum.sha256(ofFile: folder("a") + "/" + file.name) == file.sha256)
        }
    }

    @Test("a pipeline that is stopped after any batch continues to the same files", arguments: [1, 5, 9, 20, 29])
    func stopped(at stop: Int) throws {
        let whole = try pipeline("whole")
        try whole.run(next: text()) { _ in }
        try whole.finish()

        let first = try pipeline("a")
        #expect(throws: Stopped.self) { try first.run(next: text(until: stop)) { _ in } }
        // The situation after a kill: the state is not saved at the end, so the files are longer than the state says.
        let before = PreparationState.load(folder: folder("a"), settings: "s", elementType: .uint16)?.pieces ?? 0
        let second = try pipeline("a")
        #expect(second.state.pieces == before)
        var skipped = 0
        try second.run(next: text()) { skipped += $0 ? 1 : 0 }
        try second.finish()
        #expect(stop < 9 || skipped > 0)
        #expect(try contents("a") == contents("whole"))
        #expect(second.state.train == whole.state.train)
        #expect(second.state.validation == whole.state.validation)
    }

    @Test("a pipeline does not continue with a text that is longer, shorter or differs in a byte")
    func otherText() throws {
        let first = try pipeline("a")
        #expect(throws: Stopped.self) { try first.run(next: text(until: 20)) { _ in } }
        #expect(first.saveAfterError())
        let before = try contents("a")
        var changed = Self.batches
        changed[3].bytes[0] ^= 2
        for batches in [changed, Array(Self.batches.dropFirst()), Array(Self.batches.prefix(4))] {
            let second = try pipeline("a")
            #expect(second.state.pieces > 0)
            let error = #expect(throws: UserError.self) { try second.run(next: text(batches)) { _ in } }
            #expect(error?.kind == .data && error?.message.hasPrefix("the text differs from the one") == true)
        }
        #expect(try contents("a") == before)
    }

    @Test("a pipeline that was stopped after it renamed its last shard continues to the same files")
    func stoppedAtTheEnd() throws {
        for (name, count) in [("few", 3), ("many", Self.batches.count)] {
            let batches = Array(Self.batches.prefix(count))
            let first = try pipeline(name)
            try first.run(next: text(batches)) { _ in }
            try first.save()
            try first.finish()
            let files = try contents(name)
            let second = try pipeline(name)
            #expect(second.state.pieces == batches.reduce(0) { $0 + $1.pieces.count })
            try second.run(next: text(batches)) { _ in }
            try second.finish()
            #expect(try contents(name) == files)
            #expect(second.state.train == first.state.train)
        }
    }

    @Test("a state with other settings or incomplete shards is not used")
    func otherState() throws {
        let first = try pipeline("a")
        #expect(throws: Stopped.self) { try first.run(next: text(until: 25)) { _ in } }
        try first.save()
        #expect(try pipeline("a").state.pieces > 0)
        #expect(try pipeline("a", settings: "other").state.pieces == 0)
        try AtomicFile.write("short", to: folder("a/train_000000.bin"))
        #expect(try pipeline("a").state.pieces == 0)
    }

    @Test("text that cannot be encoded stops the pipeline, and its batch is not written")
    func badText() throws {
        var batches = Self.batches
        batches[20].bytes[batches[20].pieces[3].range.lowerBound] = 0
        let pipeline = try pipeline("a")
        let piece = batches[20].pieces[3]
        #expect(throws: UserError(.data, "\(piece.origin), from byte \(piece.offset): a zero")) {
            try pipeline.run(next: text(batches)) { _ in }
        }
        #expect(pipeline.state.pieces == batches[..<20].reduce(0) { $0 + $1.pieces.count })
        #expect(pipeline.saveAfterError())
        let state = try #require(PreparationState.load(folder: folder("a"), settings: "s", elementType: .uint16))
        #expect(state == pipeline.state)
    }

    @Test("a vocabulary that does not fit 16 bits is written with 32 bits per id")
    func wide() throws {
        let narrow = try pipeline("narrow")
        let wide = try pipeline("wide", tokenizer: EndingTokenizer(vocabularySize: 70_000))
        for pipeline in [narrow, wide] {
            try pipeline.run(next: text()) { _ in }
            try pipeline.finish()
        }
        #expect(wide.state.train.tokens == narrow.state.train.tokens)
        let file = try FileSystem.read(folder("wide/train_000000.bin"))
        #expect(file.count == 40_000)
        let ids = try ids("narrow", narrow.state.train)
        let differing = (0..<10_000).first { index in
            let bytes = file[4 * index..<4 * index + 4].map { Int($0) }
            return bytes != [Int(ids[index]) & 255, Int(ids[index]) >> 8, 0, 0]
        }
        #expect(differing == nil)
    }

    @Test("the share and the seed decide which documents are for validation")
    func shares() throws {
        func chosen(_ share: Double, _ seed: UInt64) -> [Int] {
            let split = DocumentSplit(validationShare: share, seed: seed)
            return (0..<4000).filter { number in
                Array("document \(number)".utf8).withUnsafeBytes { split.split(of: $0) } == .validation
            }
        }
        #expect(abs(chosen(0.1, 1).count - 400) < 80)
        #expect(chosen(0.1, 1) == chosen(0.1, 1))
        #expect(chosen(0.1, 1) != chosen(0.1, 2))
        #expect(Set(chosen(0.05, 1)).isSubset(of: chosen(0.1, 1)))
        // From Python: hashlib.sha256((1).to_bytes(8, "little") + b"document 0").digest()[:8] as a big-endian number.
        let word = Array("document 0".utf8).withUnsafeBytes { Checksum.word(of: $0, seed: 1) }
        #expect(word == 14900618689464835408)
    }
}
