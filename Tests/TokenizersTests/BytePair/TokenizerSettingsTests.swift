import Formats
import Platform
import TestSupport
import Testing

@testable import Tokenizers

/// Tokenizers with files of transformers beside them; the ids are those of its version 5.24.
@Suite("Byte pairs: files beside a tokenizer")
struct TokenizerSettingsTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static let names = PrintableBytes.order.map { PrintableBytes.text(of: [$0]) } + ["th"]

    /// vocab.json and merges.txt: bytes, "th" as 256, and more.
    private func writeMerges(_ more: [String], files: [String: String]) throws {
        let members = (Self.names + more).enumerated().map { JSONValue.Member($0.element, .integer($0.offset)) }
        try AtomicFile.write(JSONValue.object(members).text(), to: folder("vocab.json"))
        try AtomicFile.write("#version: 0.2\nt h\n", to: folder("merges.txt"))
        for (name, text) in files { try AtomicFile.write(text, to: folder("\(name).json")) }
    }

    /// The same as tokenizer.json.
    private func writeTokenizer(_ more: [String], _ added: String, files: [String: String], other: String = "") throws {
        let members = (Self.names + more).enumerated().map { JSONValue.Member($0.element, .integer($0.offset)) }
        let text = """
            {"added_tokens":\(added),\(other)"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},\
            "model":{"type":"BPE","vocab":\(JSONValue.object(members).text()),"merges":["t h"]}}
            """
        try AtomicFile.write(text, to: folder("tokenizer.json"))
        for (name, text) in files { try AtomicFile.write(text, to: folder("\(name).json")) }
    }

    private func open() throws -> (tokenizer: BytePairTokenizer, notices: [String]) {
        var notices: [String] = []
        let tokenizer = try TokenizerFile.open(folder.path) { notices.append($0) }
        return (try #require(tokenizer as? BytePairTokenizer), notices)
    }

    @Test("added_tokens.json adds to merges.txt; special ones are those that special_tokens_map.json names")
    func addedTokens() throws {
        try writeMerges(
            ["<|endoftext|>"],
            files: ["added_tokens": #"{"foo":259,"<m>":258}"#, "special_tokens_map": #"{"mask_token":"<m>"}"#]
        )
        let (tokenizer, notices) = try open()
        #expect(
            try tokenizer.encodePrompt(Array("a <m> foo <|endoftext|>".utf8)) == [64, 220, 258, 220, 259, 220, 257]
        )
        #expect(try tokenizer.encode("<m>foo") == [27, 76, 29, 259])
        #expect(tokenizer.endOfText == 257)
        #expect(notices.isEmpty)
    }

    @Test("tokenizer_config.json describes what is added, and beside it added_tokens.json says nothing")
    func described() throws {
        let end = #""257":{"content":"<|endoftext|>","lstrip":false,"normalized":true,"special":true}"#
        let mask = #""258":{"content":"<m>","lstrip":true,"normalized":false,"special":true}"#
        try writeMerges(
            ["<|endoftext|>"],
            files: [
                "tokenizer_config": #"{"added_tokens_decoder":{\#(end),\#(mask)}}"#, "added_tokens": #"{"other":258}"#,
            ]
        )
        let tokenizer = try open().tokenizer
        #expect(try tokenizer.encodePrompt(Array("a <m> b<|endoftext|>".utf8)) == [64, 258, 220, 65, 257])
        #expect(tokenizer.vocabularySize == 259)
    }

    @Test("special tokens with a role need no angle brackets, and one that merges make has its id")
    func roles() throws {
        try writeMerges(
            ["[END]"],
            files: ["special_tokens_map": #"{"eos_token":"[END]","pad_token":{"content":"!","lstrip":true}}"#]
        )
        let tokenizer = try open().tokenizer
        #expect(tokenizer.endOfText == 257)
        #expect(try tokenizer.encodePrompt(Array("th  ![END]".utf8)) == [256, 0, 257])
        #expect(try tokenizer.encode(" !") == [220, 0])
    }

    @Test("tokens that only the files beside tokenizer.json have are added to its own")
    func besideTokenizer() throws {
        let end = #"[{"id":257,"content":"<|endoftext|>","special":true}]"#
        try writeTokenizer(["<|endoftext|>"], end, files: ["added_tokens": #"{"<|endoftext|>":257,"foo":258}"#])
        #expect(try open().tokenizer.encode("a foo") == [64, 220, 258])
        let token = #""258":{"content":"foo","lstrip":true,"special":false}"#
        try writeTokenizer(
            ["<|endoftext|>"],
            end,
            files: ["tokenizer_config": #"{"added_tokens_decoder":{\#(token)}}"#]
        )
        #expect(try open().tokenizer.encode("a foo") == [64, 258])
    }

    @Test(
        "what would change ids otherwise is refused with the file and the name",
        arguments: [
            ("tokenizer_config", #"{"add_prefix_space":true}"#, "puts a space before the text (add_prefix_space)"),
            ("tokenizer_config", #"{"add_bos_token":true}"#, "adds a token to each text (add_bos_token)"),
            ("tokenizer_config", #"{"add_eos_token":true}"#, "adds a token to each text (add_eos_token)"),
            ("tokenizer_config", #"{"tokenizer_class":"Qwen2Tokenizer"}"#, "says that it is a Qwen2Tokenizer"),
            (
                "tokenizer_config", #"{"tokenizer_class":"RobertaTokenizerFast"}"#,
                "says that it is a RobertaTokenizerFast"
            ),
            ("tokenizer_config", #"{"added_tokens_decoder":{"x":{"content":"a"}}}"#, "has \"x\" where an id belongs"),
            ("tokenizer_config", #"{"added_tokens_decoder":{"258":{}}}"#, "has no content: {}"),
            ("tokenizer_config", #"{"eos_token":3}"#, "eos_token of tokenizer_config.json has no content: 3"),
            ("added_tokens", #"{"a b":300}"#, "but Hugging Face's tokenizers gives it 258"),
            ("added_tokens", #"{"a b":"x"}"#, "added_tokens.json gives \"a b\" no id"),
            ("added_tokens", #"{"!":258}"#, #"its token "!" has two ids, 0 and 258"#),
            ("special_tokens_map", "{", "is not valid JSON"),
        ]
    )
    func refused(name: String, text: String, reason: String) throws {
        try writeMerges(["<|endoftext|>"], files: [name: text])
        let error = try #require(throws: UserError.self) { try open() }
        #expect(error.kind == .data)
        #expect(error.message.contains(reason), "\(error.message)")
    }

    @Test("a token that two files describe otherwise is refused, but for what changes no ids")
    func conflict() throws {
        let own = #"[{"id":257,"content":"<m>","lstrip":false,"normalized":false,"special":true}]"#
        func open(_ flags: String) throws -> BytePairTokenizer {
            let token = #""257":{"content":"<m>",\#(flags)}"#
            try writeTokenizer([], own, files: ["tokenizer_config": #"{"added_tokens_decoder":{\#(token)}}"#])
            return try self.open().tokenizer
        }
        #expect(try open(#""normalized":true,"special":true"#).vocabularySize == 258)
        let error = try #require(throws: UserError.self) { try open(#""lstrip":true"#) }
        #expect(error.message.hasSuffix(#"the added token "<m>" is another one in tokenizer_config.json beside it"#))
        try writeTokenizer([], own, files: ["tokenizer_config": "{}", "added_tokens": #"{"<m>":258}"#])
        #expect(throws: UserError.self) { try self.open() }
    }

    @Test(
        "the token that ends a text is what the tokenizer's files name, then the model's",
        arguments: [
            ([:], 258, nil),
            (["tokenizer_config": #"{"eos_token":"</s>"}"#], 257, nil),
            (["tokenizer_config": #"{"eos_token":{"__type":"AddedToken","content":"</s>"}}"#], 257, nil),
            (["special_tokens_map": #"{"eos_token":{"content":"</s>"}}"#], 257, nil),
            (["tokenizer_config": #"{"eos_token":null}"#, "config": #"{"eos_token_id":257}"#], 257, nil),
            (["config": #"{"eos_token_id":258}"#, "generation_config": #"{"eos_token_id":257}"#], 257, nil),
            (["generation_config": #"{"eos_token_id":[257]}"#], 257, nil),
            (["generation_config": #"{"eos_token_id":[257,258]}"#], 257, "[257, 258]: only 257 is used"),
            // Of the vocabulary, but no added token.
            (["config": #"{"eos_token_id":200}"#], 258, nil),
            (["config": #"{"eos_token_id":50256}"#], 258, nil),
            (["tokenizer_config": #"{"eos_token":"th"}"#], 256, nil),
            (
                ["tokenizer_config": #"{"eos_token":"</s>"}"#, "config": #"{"eos_token_id":258}"#], 257,
                "config.json ends a text with id 258, tokenizer_config.json with 257: 257 is used"
            ),
            (
                ["tokenizer_config": #"{"eos_token":"<none>"}"#], 258,
                #"ends a text with "<none>", which the tokenizer does not have: id 258 is used"#
            ),
        ] as [([String: String], Int32, String?)]
    )
    func endOfText(files: [String: String], id: Int32, notice: String?) throws {
        let added = #"[{"id":257,"content":"</s>","special":true},{"id":258,"content":"<|endoftext|>","special":true}]"#
        try writeTokenizer([], added, files: files)
        let (tokenizer, notices) = try open()
        #expect(tokenizer.endOfText == id)
        #expect(notices.count == (notice == nil ? 0 : 1), "\(notices)")
        if let notice { #expect(notices.first?.contains(notice) == true, "\(notices)") }

        // What is kept with data says the same.
        try FileSystem.createFolder(folder("copy"))
        try TokenizerFile.save(tokenizer, folder: folder("copy"))
        #expect(try TokenizerFile.load(folder: folder("copy")).endOfText == id)
        let names = id == 258 ? ["tokenizer.json"] : ["tokenizer.json", "tokenizer_config.json"]
        #expect(try FileSystem.names(inFolder: folder("copy")) == names)
    }

    @Test("a model's id that is no added token ends no text, and that is said where nothing else does")
    func noEnd() throws {
        try writeTokenizer(
            [],
            #"[{"id":257,"content":"<m>","special":true}]"#,
            files: ["config": #"{"eos_token_id":50256}"#]
        )
        let (tokenizer, notices) = try open()
        #expect(tokenizer.endOfText == nil)
        #expect(notices.count == 1)
        #expect(
            notices.first?.hasSuffix(
                "config.json ends a text with id 50256, which is no added token: no token ends a text"
            ) == true
        )
        #expect(try TokenizerFile.open(Fixtures.path("cases/data/d11-eos")).endOfText == 256)
    }

    @Test("truncation and padding are passed over, which is said")
    func truncation() throws {
        let added = #"[{"id":257,"content":"<|endoftext|>","special":true}]"#
        try writeTokenizer(
            [],
            added,
            files: [:],
            other: #""truncation":{"max_length":2},"padding":{"strategy":"BatchLongest"},"#
        )
        let (tokenizer, notices) = try open()
        #expect(try tokenizer.encode("abcd").count == 4)
        #expect(notices.map { $0.hasSuffix("which is passed over: texts are encoded as they are") } == [true, true])
    }

    @Test(
        "post-processors that add tokens are refused by name, others pass",
        arguments: [
            (#"{"type":"ByteLevel","trim_offsets":false}"#, nil),
            (#"{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}}]}"#, nil),
            (
                #"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}]}"#,
                "TemplateProcessing"
            ),
            (
                #"{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"RobertaProcessing"}]}"#,
                "RobertaProcessing"
            ),
            (#"{"type":"BertProcessing"}"#, "BertProcessing"),
            (#"{"kind":1}"#, "unknown"),
        ] as [(String, String?)]
    )
    func postProcessor(text: String, refused: String?) throws {
        let added = #"[{"id":257,"content":"<|endoftext|>","special":true}]"#
        try writeTokenizer([], added, files: [:], other: #""post_processor":\#(text),"#)
        guard let refused else {
            _ = try open()
            return
        }
        let error = try #require(throws: UserError.self) { try open() }
        #expect(error.message.contains("its post_processor adds tokens to each text (\(refused))"), "\(error.message)")
    }
}

@Suite("Byte pairs: tiktoken files of other patterns")
struct ForeignPatternTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func refusal() -> String {
        let error = #expect(throws: UserError.self) { try TokenizerFile.open(folder.path) }
        #expect(error?.kind == .data)
        return error?.message ?? ""
    }

    @Test(
        "vocabularies of a known size are refused with the reason",
        arguments: [
            (50_280, "p50k_base, which has <|endoftext|> in the middle of its ids"),
            (100_256, "cl100k_base, which splits text by another pattern than GPT-2's"),
            (128_000, "Llama 3, which splits text by another pattern than GPT-2's"),
            (151_643, "Qwen, which splits text by another pattern than GPT-2's"),
            (199_998, "o200k_base, which splits text by another pattern than GPT-2's"),
            (200_000, "Llama 4, which splits text by another pattern than GPT-2's"),
        ]
    )
    func knownSize(count: Int, reason: String) throws {
        try AtomicFile.write(String(repeating: "YQ== 0\n", count: count), to: folder("a.tiktoken"))
        #expect(refusal().contains("it has the \(count) tokens of \(reason)"))
    }

    @Test("a token that GPT-2's pattern splits gives another pattern away, in tiktoken's form and in merges.txt")
    func unknownSize() throws {
        let bytes = PrintableBytes.order.map { [$0] }
        for (merges, token) in [(["( s", "(s e"], "(s"), ([". Ċ"], ".Ċ"), (["1 a"], "1a"), (["Ċ a"], "Ċa")] {
            let merged = merges.map { PrintableBytes.token(of: $0.filter { $0 != " " })! }
            let text = (bytes + merged).enumerated().map { "\(Self.base64($0.element)) \($0.offset)\n" }.joined()
            try AtomicFile.write(text, to: folder("a.tiktoken"))
            let reason = "GPT-2's pattern splits its token 256, \"\(token)\": it was made with another pattern"
            #expect(refusal().hasSuffix(reason))
            try AtomicFile.write("#version: 0.2\n" + merges.map { $0 + "\n" }.joined(), to: folder("merges.txt"))
            #expect(refusal().hasSuffix(reason))
            try FileSystem.remove(folder("merges.txt"))
        }
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        let value = bytes.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - bytes.count))
        let text = (0...bytes.count).map { digits[value >> (18 - 6 * $0) & 63] }
        return String(text) + String(repeating: "=", count: 3 - bytes.count)
    }

    @Test("of any other file the pattern is assumed, which is said; GPT-2's own merges and their folder need no word")
    func assumed() throws {
        var notices: [String] = []
        _ = try TokenizerFile.open(BytePairFixture.folder + "/small.tiktoken") { notices.append($0) }
        #expect(notices.count == 1)
        #expect(notices.first?.contains("small.tiktoken does not say how text is split") == true)
        #expect(notices.first?.contains("GPT-2's pattern is assumed") == true)
        try BytePairFixture.small.write(folder: folder.path)
        for name in ["", "/merges.txt", "/tokenizer.json"] {
            _ = try TokenizerFile.open(folder.path + name) { notices.append($0) }
        }
        #expect(notices.count == 1, "\(notices)")
    }
}
