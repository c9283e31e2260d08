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
        "every format that is written is read back unchanged",
        arguments: ["tokenizer.json", "merges.txt", "tokenizer.tiktoken", "."]
    )
    func roundTrip(name: String) throws {
        try small.write(folder: folder.path)
        #expect(try open(name).vocabulary == small.vocabulary)
    }

    @Test("without vocab.json, ids are in GPT-2's order")
    func mergesAlone() throws {
        try AtomicFile.write(small.vocabulary.mergesText, to: folder("vocab.bpe"))
        #expect(try open("vocab.bpe").vocabulary == small.vocabulary)
        try AtomicFile.write(small.vocabulary.mergesText, to: folder("mine"))
        #expect(try open("mine").vocabulary == small.vocabulary)
    }

    @Test("the .tiktoken file equals the one made from tiktoken's own tokens")
    func tiktokenText() throws {
        let text = try FileSystem.read(BytePairFixture.folder + "/small.tiktoken")
        #expect(small.vocabulary.tiktokenText == String(decoding: text, as: UTF8.self))
    }

    @Test("a saved tokenizer.json loads as the same tokenizer with the same hash")
    func file() throws {
        try TokenizerFile.save(small, folder: folder.path)
        let loaded = try #require(try TokenizerFile.load(folder: folder.path) as? BytePairTokenizer)
        #expect(loaded.name == "bpe")
        #expect(loaded.vocabulary == small.vocabulary)
        #expect(try Checksum.sha256(ofFile: folder("tokenizer.json")) == TokenizerFile.hash(of: loaded))
    }

    /// Opens a `tokenizer.json` of a byte-level BPE with two merges, in the form that Hugging Face writes.
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

    @Test("merges are read as strings and as pairs, and the split pattern as use_regex and as a Split")
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

    @Test("a tokenizer.json whose ids would be wrong here is refused with the reason")
    func unusableHuggingFace() {
        expectRefusal(#"needs the token "theq", which is not in the vocabulary"#) {
            try huggingFace(merges: #"["t h","th e","the q"]"#)
        }
        expectRefusal("its merge 3 is a duplicate") { try huggingFace(merges: #"["t h","th e","t h"]"#) }
        expectRefusal(#"its merge "the" is not a pair"#) { try huggingFace(merges: #"["t h","the"]"#) }
        expectRefusal(#"no merge produces its token 257, "the""#) { try huggingFace(merges: #"["t h"]"#) }
        expectRefusal("its ids are not 0 to 259, each exactly once") { try huggingFace { $0[257].1 = 300 } }
        expectRefusal("its ids are not 0 to 259, each exactly once") { try huggingFace { $0[257].1 = 3 } }
        expectRefusal("has two ids") { try huggingFace { $0[258].1 = 260 } }
        expectRefusal("no token for the byte 0x71") { try huggingFace { $0[$0.firstIndex { $0.0 == "q" }!].0 = "tqh" } }
        expectRefusal(#"it has the added token "<|endoftext|>" twice"#) {
            try huggingFace(added: #"[{"id":258,"content":"<|endoftext|>"},{"id":259,"content":"<|endoftext|>"}]"#)
        }
        expectRefusal("an added token has no content or no id") { try huggingFace(added: #"[{"id":258}]"#) }
        expectRefusal("does not split text with GPT-2's pattern, the only supported one, but with \\d+") {
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
        "a file that is not a tokenizer is refused with the reason",
        arguments: [
            ("book.txt", "To be, or not to be\n", "is not a tokenizer file; supported files: tokenizer.json"),
            ("empty.json", "", "is not a tokenizer file"),
            ("broken.json", "{\"model\": ", "is not valid JSON"),
            ("vocab.json", "{\"a\":0,\"model\":1}", "has token ids but no merges"),
            ("other.json", "{\"name\":\"x\"}", "it has no model"),
            ("merges.txt", "#version: 0.2\nt h\nthe\n", "its line 3 is not two tokens"),
            ("merges.txt", "#version: 0.2\n", "it has no merges"),
            ("merges.txt", "t h\nx the\n", "needs the token \"the\", which is not in the vocabulary"),
            ("merges.txt", "t h\nt h\n", "are the same, \"th\""),
            ("a.tiktoken", "", "it is empty"),
            ("a.tiktoken", "dGhl\n", "its line 1 is not a token in Base64 and an id"),
            ("a.tiktoken", "YQ== 0\nYg== 2\n", "its ids are not 0 to 1, each exactly once"),
            ("a.tiktoken", "YQ== 0\nYg== 0\n", "its ids are not 0 to 1, each exactly once"),
            ("a.tiktoken", "YQ== 0\nYmNk 1\n", "no pair of tokens with lower ids produces its token 1, \"bcd\""),
            ("a.tiktoken", "YQ== 0\nYg== 1\n", "no token for the byte 0x0"),
        ]
    )
    func noTokenizers(name: String, text: String, reason: String) throws {
        try AtomicFile.write(text, to: folder(name))
        expectRefusal(reason) { try TokenizerFile.open(folder(name)) }
        expectRefusal(folder(name)) { try TokenizerFile.open(folder(name)) }
    }

    @Test("vocab.json in the folder of merges.txt defines the ids and must match the merges")
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
        expectRefusal("no merge produces the token \"zzz\"") { try open("merges.txt") }
    }

    @Test("a folder without a tokenizer and a path that does not exist are refused")
    func nothing() throws {
        expectRefusal("has no tokenizer") { try TokenizerFile.open(folder.path) }
        let error = #expect(throws: UserError.self) { try TokenizerFile.open(folder("none")) }
        #expect(error?.kind == .inputOutput)
    }
}
