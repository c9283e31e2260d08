import Datasets
import Platform
import Preparation
import TestSupport
import Testing
import Tokenizers

@Suite("Tokenizer sources")
struct TokenizerSourceTests {
    let folder: TemporaryFolder
    let small = Fixtures.path("bytepair/small.tiktoken")

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test("a path to a tokenizer file is opened")
    func path() throws {
        #expect(try TokenizerSource(small).open().vocabularySize == 800)
    }

    @Test("a path that does not exist is refused with the names of the built-in tokenizers")
    func nothing() throws {
        let path = folder("none")
        let message = "tokenizer=\(path): no such file or folder; built-in tokenizers are gpt2, byte and char"
        #expect(throws: UserError(.inputOutput, message)) { try TokenizerSource(path).open() }
    }

    @Test("char takes its characters from a text, and is refused without a text")
    func characters() throws {
        #expect(try TokenizerSource.char.open(text: Array("abca".utf8)).vocabularySize == 3)
        let error = #expect(throws: UserError.self) { try TokenizerSource.char.open() }
        #expect(error?.kind == .usage)
    }

    @Test("a dataset that was prepared with a byte-pair tokenizer opens")
    func dataset() throws {
        try FileSystem.createFolder(folder("tokenizer"))
        try TokenizerFile.save(TokenizerFile.open(small), folder: folder("tokenizer"))
        let request = PreparationRequest(
            source: .inputs([Fixtures.path("bytepair/text.txt")]),
            name: "set",
            dataFolder: folder.path,
            tokenizer: .path(folder("tokenizer"))
        )
        _ = try DataPreparation.run(request)
        let dataset = try Dataset.open(folder: folder.path, name: "set")
        #expect(dataset.vocabularySize == 800)
        #expect(dataset.tokenizer?.endOfText == 799)
    }

    @Test("GPT-2's merges are used from the cache only if their hash is right")
    func cache() throws {
        try FileSystem.createFolder(folder("gpt2"))
        try AtomicFile.write("#version: 0.2\nt h\n", to: folder("gpt2/vocab.bpe"))
        let error = #expect(throws: UserError.self) { try TokenizerSource.gpt2.open(cacheFolder: folder.path) }
        #expect(error?.kind == .data)
        #expect(error?.message.contains("is not GPT-2's vocab.bpe") == true)
        // Not every machine has GPT-2's real vocabulary.
        let real = Fixtures.path("../../../shared/data/gpt2/vocab.bpe")
        guard FileSystem.kind(of: real) != nil else { return }
        try AtomicFile.write(FileSystem.read(real), to: folder("gpt2/vocab.bpe"))
        #expect(try TokenizerSource.gpt2.open(cacheFolder: folder.path).vocabularySize == 50257)
    }
}
