import Datasets
import Platform
import Preparation
import TestSupport
import Testing
import Tokenizers

@Suite("Where tokenizers come from")
struct TokenizerSourceTests {
    let folder: TemporaryFolder
    let small = Fixtures.path("bytepair/small.tiktoken")

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test("a path is opened as the file or folder that it is")
    func path() throws {
        #expect(try TokenizerSource(small).open().vocabularySize == 800)
    }

    @Test("a path with nothing is named, and so are the names that would have done")
    func nothing() throws {
        let path = folder("none")
        let message = "tokenizer=\(path): there is no such file or folder, nor is it one of gpt2, byte and char"
        #expect(throws: UserError(.inputOutput, message)) { try TokenizerSource(path).open() }
    }

    @Test("characters come from a text, and without one they are an error")
    func characters() throws {
        #expect(try TokenizerSource.char.open(text: Array("abca".utf8)).vocabularySize == 3)
        let error = #expect(throws: UserError.self) { try TokenizerSource.char.open() }
        #expect(error?.kind == .usage)
    }

    @Test("a data set prepared with byte pairs is opened again")
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

    @Test("GPT-2's merges come from the cache, and only with the right hash")
    func cache() throws {
        try FileSystem.createFolder(folder("gpt2"))
        try AtomicFile.write("#version: 0.2\nt h\n", to: folder("gpt2/vocab.bpe"))
        let error = #expect(throws: UserError.self) { try TokenizerSource.gpt2.open(cacheFolder: folder.path) }
        #expect(error?.kind == .data)
        #expect(error?.message.contains("is not GPT-2's vocab.bpe") == true)
        // There is none in a clone that stands alone.
        let real = Fixtures.path("../../../shared/data/gpt2/vocab.bpe")
        guard FileSystem.kind(of: real) != nil else { return }
        try AtomicFile.write(FileSystem.read(real), to: folder("gpt2/vocab.bpe"))
        #expect(try TokenizerSource.gpt2.open(cacheFolder: folder.path).vocabularySize == 50257)
    }
}
