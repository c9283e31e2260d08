import Formats
import Platform
import TestSupport
import Testing

@testable import Datasets
@testable import Preparation
@testable import Tokenizers

@Suite("Named datasets")
struct NamedDatasetTests {
    static let text = "First Citizen:\nBefore we proceed any further, hear me speak.\n"
    static let hasCurl = (try? ChildProcess.run(["curl", "--version"], timeout: 10) {}) != nil

    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try AtomicFile.write(Self.text, to: folder("remote.txt"))
    }

    /// A small local file that replaces the public one.
    private var file: PublicFile {
        PublicFile(
            title: "tiny shakespeare",
            url: "file://" + folder("remote.txt"),
            cachePath: "tinyshakespeare/input.txt",
            sha256: Checksum.sha256(of: Self.text),
            byteCount: Self.text.utf8.count
        )
    }

    private var cached: String { folder("cache/tinyshakespeare/input.txt") }

    private func preparation(_ dataset: NamedDataset, copy: String? = nil, file: PublicFile? = nil) -> DataPreparation {
        DataPreparation(
            request: PreparationRequest(dataset, copy: copy, dataFolder: folder("data")),
            cacheFolder: folder("cache"),
            files: [file ?? self.file],
            progress: { _ in }
        )
    }

    @Test("shakespeare_char is downloaded, verified, kept in the cache, and prepared", .enabled(if: hasCurl))
    func download() throws {
        let result = try preparation(.shakespeareChar).run()
        #expect(result.name == "shakespeare_char")
        #expect(result.trainTokens == 54)
        #expect(result.validationTokens == 7)
        #expect(try FileSystem.read(cached) == Array(Self.text.utf8))
        #expect(try FileSystem.names(inFolder: folder("cache/tinyshakespeare")) == ["input.txt"])
    }

    @Test("an interrupted download is continued", .enabled(if: hasCurl))
    func resume() throws {
        try FileSystem.createFolder(folder("cache/tinyshakespeare"))
        try AtomicFile.write(Array(Self.text.utf8.prefix(20)), to: cached + ".part")
        #expect(try Download(file: file, cacheFolder: folder("cache")).locate { _ in } == cached)
        #expect(try FileSystem.read(cached) == Array(Self.text.utf8))
    }

    @Test("an interrupted download that cannot be continued is started again", .enabled(if: hasCurl))
    func badPartialFile() throws {
        try FileSystem.createFolder(folder("cache/tinyshakespeare"))
        for part in ["another beginning", String(repeating: "much longer than the file ", count: 9)] {
            try AtomicFile.write(part, to: cached + ".part")
            #expect(try Download(file: file, cacheFolder: folder("cache")).locate { _ in } == cached)
            #expect(try FileSystem.read(cached) == Array(Self.text.utf8))
            try FileSystem.remove(cached)
        }
    }

    @Test("a download with another hash is refused and not kept", .enabled(if: hasCurl))
    func wrongDownload() throws {
        try AtomicFile.write("something else", to: folder("remote.txt"))
        let error = try #require(throws: UserError.self) { try preparation(.shakespeareChar).run() }
        #expect(error.kind == .data)
        #expect(
            error.message.contains("is not tiny shakespeare: its sha256 is \(Checksum.sha256(of: "something else"))")
        )
        #expect(try FileSystem.names(inFolder: folder("cache/tinyshakespeare")) == [])
        #expect(FileSystem.kind(of: folder("data")) == nil)
    }

    @Test("the error of a failed download has the reason and an alternative", .enabled(if: hasCurl))
    func failedDownload() throws {
        try FileSystem.remove(folder("remote.txt"))
        let error = try #require(throws: UserError.self) { try preparation(.shakespeareChar).run() }
        #expect(error.kind == .inputOutput)
        #expect(error.message.hasPrefix("cannot download \(file.url): curl: (37)"))
        #expect(error.message.hasSuffix("put the file at \(cached) or pass its path with --from PATH"))
    }

    @Test("without curl, the error says to install it and has an alternative")
    func noCurl() throws {
        let download = Download(
            file: file,
            cacheFolder: folder("cache"),
            tool: .init(program: "no-such-program-as-curl")
        )
        let error = try #require(throws: UserError.self) { try download.locate { _ in } }
        #expect(error.message.contains("cannot run no-such-program-as-curl: No such file or directory; install curl"))
    }

    @Test("a file that the user put into the cache is used only if its hash is right")
    func cacheByHand() throws {
        try FileSystem.remove(folder("remote.txt"))
        try FileSystem.createFolder(folder("cache/tinyshakespeare"))
        try AtomicFile.write("something else", to: cached)
        let error = try #require(throws: UserError.self) { try preparation(.shakespeareChar).run() }
        #expect(error.kind == .data)
        #expect(error.message.hasPrefix("\(cached) is not tiny shakespeare: its sha256 is"))
        #expect(error.message.contains("expected \(Checksum.sha256(of: Self.text))"))
        try AtomicFile.write(Self.text, to: cached)
        #expect(try preparation(.shakespeareChar).run().trainTokens == 54)
    }

    @Test("a copy that the user passes is used only if its hash is right")
    func copy() throws {
        try AtomicFile.write(Self.text, to: folder("copy.txt"))
        #expect(try preparation(.shakespeareChar, copy: folder("copy.txt")).run().trainTokens == 54)
        #expect(FileSystem.kind(of: folder("cache")) == nil)
        try FileSystem.remove(folder("data"))
        try AtomicFile.write("something else", to: folder("copy.txt"))
        let error = try #require(throws: UserError.self) {
            try preparation(.shakespeareChar, copy: folder("copy.txt")).run()
        }
        #expect(error.message.contains("to prepare another text, use --input"))
    }

    @Test("openwebtext is prepared from a local folder of documents, with some of them for validation")
    func openWebText() throws {
        try FileSystem.createFolder(folder("pages"))
        for page in 0..<30 { try AtomicFile.write("Page \(page).\n", to: folder("pages/\(page).txt")) }
        var request = PreparationRequest(.openwebtext, copy: folder("pages"), dataFolder: folder("data"))
        #expect(request.tokenizer == .gpt2)
        request.tokenizer = .path(Fixtures.path("bytepair/small.tiktoken"))
        let result = try DataPreparation.run(request, cacheFolder: folder("cache"))
        #expect(result.name == "openwebtext")
        let documents = try #require(result.documents)
        #expect(documents.train + documents.validation == 30)
        #expect(documents.validation > 0, "few documents get a larger share")
        #expect(FileSystem.kind(of: folder("cache")) == nil)
    }

    @Test("tinystories keeps the split of its publishers, and its separator is not part of the text")
    func tinyStories() throws {
        try FileSystem.createFolder(folder("stories"))
        let train = folder("stories/TinyStoriesV2-GPT4-train.txt")
        try AtomicFile.write("Once.\n<|endoftext|>\nTwice.\n<|endoftext|>\nThrice.\n<|endoftext|>\n", to: train)
        var request = PreparationRequest(.tinystories, copy: folder("stories"), dataFolder: folder("data"))
        request.tokenizer = .path(Fixtures.path("bytepair/small.tiktoken"))
        let error = #expect(throws: UserError.self) { try DataPreparation.run(request, cacheFolder: folder("cache")) }
        #expect(error?.message.contains("TinyStoriesV2-GPT4-valid.txt is missing; --from must be the folder") == true)
        try AtomicFile.write("Never.\n<|endoftext|>\n", to: folder("stories/TinyStoriesV2-GPT4-valid.txt"))
        let result = try DataPreparation.run(request, cacheFolder: folder("cache"))
        #expect(result.documents?.train == 3)
        #expect(result.documents?.validation == 1)
        let dataset = try Dataset.open(folder: folder("data"), name: "tinystories")
        let text = try #require(dataset.tokenizer).decode(try ids(dataset.train))
        #expect(!String(decoding: text, as: UTF8.self).contains("<|endoftext|>\n<|endoftext|>"))
        #expect(try ids(dataset.train).filter { $0 == dataset.endOfText }.count == 3)
    }

    private func ids(_ sequence: TokenSequence) throws -> [Int32] {
        var ids = [Int32](repeating: -1, count: sequence.count)
        try ids.withUnsafeMutableBufferPointer { try sequence.copy(from: 0, count: $0.count, into: $0.baseAddress!) }
        return ids
    }

    @Test("the demo corpus has its whole alphabet at any size, and its optimal loss is known")
    func demo() throws {
        let request = PreparationRequest(
            source: .demo(seed: 5, characters: 1000),
            name: "demo",
            dataFolder: folder("data")
        )
        let result = try DataPreparation.run(request)
        #expect(result.trainTokens == 900)
        #expect(result.vocabularySize == DemoCorpus.tokenizer.vocabularySize)
        let dataset = try Dataset.open(folder: folder("data"), name: "demo")
        #expect(dataset.notices.isEmpty)
        let demo = try #require(dataset.demo)
        var (tokens, targets): ([Int32], [Int32]) = ([], [])
        let blocks = SplitBlocks(dataset.train, blockSize: 64, batchSize: 14)
        try blocks.read(blocks.batches[0], tokens: &tokens, targets: &targets)
        let text = DemoCorpus.text(seed: 5, characters: 1000)
        #expect(dataset.tokenizer?.decode(tokens) == Array(text[..<896]))
        #expect(try demo.optimum(tokens: tokens, targets: targets, blockSize: 64).mean < 1)
    }

    @Test("a demo corpus of another grammar opens without an optimal loss and with a notice")
    func otherGrammar() throws {
        let request = PreparationRequest(
            source: .demo(seed: 5, characters: 1000),
            name: "demo",
            dataFolder: folder("data")
        )
        let path = try DataPreparation.run(request).path + "/dataset.json"
        let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
        try AtomicFile.write(text.replacing(DemoCorpus.grammarHash, with: "0123"), to: path)
        let dataset = try Dataset.open(folder: folder("data"), name: "demo")
        #expect(dataset.demo == nil)
        #expect(dataset.notices.count == 1)
        #expect(dataset.notices.first?.contains("prepare demo --overwrite") == true)
    }

    @Test("the default is shakespeare_char if it exists or can be prepared, else the demo corpus with the reason")
    func defaultDataset() throws {
        func find(_ file: PublicFile) throws -> DefaultDataset.Choice {
            try DefaultDataset.find(dataFolder: folder("data")) { dataset in
                guard dataset == .demo else { return preparation(dataset, file: file) }
                return DataPreparation(
                    request: PreparationRequest(
                        source: .demo(seed: 1, characters: 100),
                        name: "demo",
                        dataFolder: folder("data")
                    ),
                    cacheFolder: folder("cache"),
                    progress: { _ in }
                )
            }
        }
        var wrong = file
        wrong.sha256 = "0"
        try FileSystem.createFolder(folder("cache/tinyshakespeare"))
        try AtomicFile.write(Self.text, to: cached)
        let first = try find(wrong)
        #expect(first.name == "demo")
        #expect(
            first.explanation.contains(
                "built-in demo corpus, because shakespeare_char is not available (\(cached) is not"
            )
        )
        #expect(try Dataset.open(folder: folder("data"), name: "demo").train.count == 90)
        let description = folder("data/demo/dataset.json")
        let written = try FileSystem.modificationTime(of: description)
        let again = try find(wrong)
        #expect(again.name == "demo")
        #expect(try FileSystem.modificationTime(of: description) == written)
        // A checkout of nanoGPT has the folder but not the dataset.
        try FileSystem.createFolder(folder("data/shakespeare_char"))
        try AtomicFile.write("import os", to: folder("data/shakespeare_char/prepare.py"))
        #expect(try find(file).name == "demo")
        try FileSystem.remove(folder("data/shakespeare_char"))
        let found = try find(file)
        #expect(found.name == "shakespeare_char")
        #expect(found.explanation.contains("prepared"))
        let there = try find(wrong)
        #expect(there.name == "shakespeare_char")
        #expect(there.explanation.isEmpty)
    }

    @Test(
        "the cache folder depends on the environment variables",
        arguments: [
            (["DDP_TRAIN_CACHE": "/c", "HOME": "/h"], "/c"),
            (["DDP_TRAIN_CACHE": "", "XDG_CACHE_HOME": "/x", "HOME": "/h"], "/x/ddp-train"),
            (["XDG_CACHE_HOME": "relative", "HOME": "/h"], "/h/.cache/ddp-train"),
        ]
    )
    func cacheFolder(environment: [String: String], path: String) throws {
        #if os(macOS)
            let expected = path == "/c" ? path : "/h/Library/Caches/ddp-train"
        #else
            let expected = path
        #endif
        #expect(try CacheFolder.path(environment: environment) == expected)
    }

    @Test("without HOME, the error names the variable that sets the cache folder")
    func noCacheFolder() {
        let error = #expect(throws: UserError.self) { try CacheFolder.path(environment: [:]) }
        #expect(error?.message.contains("DDP_TRAIN_CACHE") == true)
    }
}
