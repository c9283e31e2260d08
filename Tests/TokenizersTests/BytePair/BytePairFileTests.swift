import Formats
import Platform
import TestSupport
import Testing

@testable import Tokenizers

@Suite("Byte pairs: files")
struct BytePairFileTests {
    let folder: TemporaryFolder
    let small = BytePairFixture.small

    init() throws {
        folder = try TemporaryFolder()
    }

    private func open(_ name: String) throws -> BytePairTokenizer {
        try #require(try TokenizerFile.open(folder(name)) as? BytePairTokenizer)
    }

    @Test(
        "every form that is written is read back the same",
        arguments: ["tokenizer.json", "merges.txt", "tokenizer.tiktoken", "."]
    )
    func roundTrip(name: String) throws {
        try small.write(folder: folder.path)
        #expect(try open(name).vocabulary == small.vocabulary)
    }

    @Test("merges alone have GPT-2's order of ids")
    func mergesAlone() throws {
        try AtomicFile.write(small.vocabulary.mergesText, to: folder("vocab.bpe"))
        #expect(try open("vocab.bpe").vocabulary == small.vocabulary)
        try AtomicFile.write(small.vocabulary.mergesText, to: folder("mine"))
        #expect(try open("mine").vocabulary == small.vocabulary)
    }

    @Test("tiktoken's form is the file that tiktoken's own tokens give")
    func tiktokenText() throws {
        let text = try FileSystem.read(BytePairFixture.folder + "/small.tiktoken")
        #expect(small.vocabulary.tiktokenText == String(decoding: text, as: UTF8.self))
    }

    @Test("a tokenizer.json is kept with data and checkpoints: loaded, it is the same and has the same hash")
    func file() throws {
        try TokenizerFile.save(small, folder: folder.path)
        let loaded = try #require(try TokenizerFile.load(folder: folder.path) as? BytePairTokenizer)
        #expect(loaded.name == "bpe")
        #expect(loaded.vocabulary == small.vocabulary)
        #expect(try Checksum.sha256(ofFile: folder("tokenizer.json")) == TokenizerFile.hash(of: loaded))
    }

    /// `tokenizer.json` of a byte-level BPE with two merges, as Hugging Face writes it.
    private func huggingFace(
        merges: String = #"["t h","th e"]"#,
        added: String =
            #"[{"id":258,"content":"<|endoftext|>","special":true},{"id":259,"content":"<|user|>","special":true}]"#,
        preTokenizer: String = #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#,
        model: String = "",
        other: String = "",
        change: (inout [(String, Int)]) -> Void = { _ in }
    ) throws -> BytePairTokenizer {
        var tokens = PrintableBytes.order.enumerated().map { (PrintableBytes.text(of: [$0.element]), $0.offset) }
        tokens += [("th", 256), ("the", 257), ("<|endoftext|>", 258)]
        change(&tokens)
        let vocabulary = JSONValue.object(tokens.map { .init($0.0, .integer($0.1)) }).text()
        let text = """
            {"added_tokens":\(added),\(other)"pre_tokenizer":\(preTokenizer),"model":{"type":"BPE",\(model)"vocab":\(vocabulary),\
            "merges":\(merges)}}
            """
        try AtomicFile.write(text, to: folder("tokenizer.json"))
        return try open("tokenizer.json")
    }

    @Test("merges are read as strings and as pairs; added tokens beyond the vocabulary are special ones")
    func huggingFaceForms() throws {
        let old = try huggingFace()
        let new = try huggingFace(merges: #"[["t","h"],["th","e"]]"#)
        #expect(old.vocabulary == new.vocabulary)
        #expect(old.vocabularySize == 260)
        #expect(old.endOfText == 258)
        #expect(try old.encode("the") == [257])
        #expect(old.decode([259]) == Array("<|user|>".utf8))
        let split =
            #"{"type":"Split","pattern":{"Regex":"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false}"#
        let level = #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}"#
        let spelled = try huggingFace(preTokenizer: #"{"type":"Sequence","pretokenizers":[\#(split),\#(level)]}"#)
        #expect(spelled.vocabulary == old.vocabulary)
    }

    private func expectRefusal(
        _ reason: String,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () throws -> Any
    ) {
        let error = #expect(throws: UserError.self, sourceLocation: sourceLocation) { _ = try body() }
        #expect(error?.kind == .data, sourceLocation: sourceLocation)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation)
        #expect(error?.message.contains("\n") == false, sourceLocation: sourceLocation)
    }

    @Test("a tokenizer.json that would give other ids than its own is refused, with the reason")
    func unusableHuggingFace() {
        expectRefusal(#"names "theq", which is no token of it"#) { try huggingFace(merges: #"["t h","th e","the q"]"#) }
        expectRefusal("its merge 3 stands there twice") { try huggingFace(merges: #"["t h","th e","t h"]"#) }
        expectRefusal(#"its merge "the" is no pair"#) { try huggingFace(merges: #"["t h","the"]"#) }
        expectRefusal(#""the", is made by no merge"#) { try huggingFace(merges: #"["t h"]"#) }
        expectRefusal("its ids are not 0 to 259, each once") { try huggingFace { $0[257].1 = 300 } }
        expectRefusal("its ids are not 0 to 259, each once") { try huggingFace { $0[257].1 = 3 } }
        expectRefusal("has two ids") { try huggingFace { $0[258].1 = 260 } }
        expectRefusal("no token for the byte 0x71") { try huggingFace { $0[$0.firstIndex { $0.0 == "q" }!].0 = "tqh" } }
        expectRefusal("it has an added token twice") {
            try huggingFace(added: #"[{"id":258,"content":"<|endoftext|>"},{"id":259,"content":"<|endoftext|>"}]"#)
        }
        expectRefusal("an added token has no content or no id") { try huggingFace(added: #"[{"id":258}]"#) }
        expectRefusal("another pattern than GPT-2's, which alone is known: \\d+") {
            try huggingFace(
                preTokenizer:
                    #"{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\d+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","use_regex":false}]}"#
            )
        }
        expectRefusal("its pre_tokenizer is Metaspace") { try huggingFace(preTokenizer: #"{"type":"Metaspace"}"#) }
        expectRefusal("its pre_tokenizer is none") { try huggingFace(preTokenizer: "null") }
        expectRefusal("add_prefix_space") {
            try huggingFace(preTokenizer: #"{"type":"ByteLevel","add_prefix_space":true}"#)
        }
        expectRefusal("its model has byte_fallback true") { try huggingFace(model: #""byte_fallback":true,"#) }
        expectRefusal("normalizer (NFC)") { try huggingFace(other: #""normalizer":{"type":"NFC"},"#) }
    }

    @Test(
        "files that are no tokenizers are refused, each with its reason",
        arguments: [
            ("book.txt", "To be, or not to be\n", "is no tokenizer file: known are tokenizer.json"),
            ("empty.json", "", "is no tokenizer file"),
            ("broken.json", "{\"model\": ", "is not valid JSON"),
            ("vocab.json", "{\"a\":0,\"model\":1}", "has the ids of tokens but not their merges"),
            ("other.json", "{\"name\":\"x\"}", "it has no model"),
            ("merges.txt", "#version: 0.2\nt h\nthe\n", "its line 3 is not two tokens"),
            ("merges.txt", "#version: 0.2\n", "it has no merges"),
            ("merges.txt", "t h\nx the\n", "names \"the\", which is no token of it"),
            ("merges.txt", "t h\nt h\n", "are the same, \"th\""),
            ("a.tiktoken", "", "it is empty"),
            ("a.tiktoken", "dGhl\n", "its line 1 is not the base 64 of some bytes and an id"),
            ("a.tiktoken", "YQ== 0\nYg== 2\n", "its ids are not 0 to 1, each once"),
            ("a.tiktoken", "YQ== 0\nYg== 0\n", "its ids are not 0 to 1, each once"),
            ("a.tiktoken", "YQ== 0\nYmNk 1\n", "is made by no pair of tokens before it"),
            ("a.tiktoken", "YQ== 0\nYg== 1\n", "no token for the byte 0x0"),
        ]
    )
    func noTokenizers(name: String, text: String, reason: String) throws {
        try AtomicFile.write(text, to: folder(name))
        expectRefusal(reason) { try TokenizerFile.open(folder(name)) }
        expectRefusal(folder(name)) { try TokenizerFile.open(folder(name)) }
    }

    @Test("vocab.json beside merges.txt decides the ids, and must fit")
    func vocabularyBeside() throws {
        try small.write(folder: folder.path)
        try FileSystem.remove(folder("tokenizer.json"))
        var names = small.vocabulary.names
        names.swapAt(300, 301)
        func write(_ names: [String]) throws {
            let members = names.enumerated().map { JSONValue.Member($0.element, .integer($0.offset)) }
            try AtomicFile.write(JSONValue.object(members).text(), to: folder("vocab.json"))
        }
        try write(names)
        let loaded = try open("merges.txt")
        #expect(loaded.decode([300]) == small.decode([301]))
        let text = "the people could go"
        #expect(loaded.decode(try loaded.encode(text)) == Array(text.utf8))
        try write(names + ["zzz"])
        expectRefusal("no merge makes the token \"zzz\"") { try open("merges.txt") }
    }

    @Test("a folder without a tokenizer, and a path with nothing, are named")
    func nothing() throws {
        expectRefusal("has no tokenizer") { try TokenizerFile.open(folder.path) }
        let error = #expect(throws: UserError.self) { try TokenizerFile.open(folder("none")) }
        #expect(error?.kind == .inputOutput)
    }
}
