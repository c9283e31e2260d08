import Formats
import Platform
import TestSupport
import Testing

@testable import Tokenizers

/// Tokenizers with the settings files of Hugging Face transformers. The expected ids are those of transformers 5.24.
@Suite("Byte pairs: settings files of transformers")
struct TokenizerSettingsTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static let names = PrintableBytes.order.map { PrintableBytes.text(of: [$0]) } + ["th"]

    /// Writes vocab.json and merges.txt with the bytes, "th" as id 256, and more tokens.
    private func writeMerges(_ more: [String], files: [String: String]) throws {
        let members = (Self.names + more).enumerated().map { JSONValue.Member($0.element, .integer($0.offset)) }
        try AtomicFile.write(JSONValue.object(members).text(), to: folder("vocab.json"))
        try AtomicFile.write("#version: 0.2\nt h\n", to: folder("merges.txt"))
        for (name, text) in files { try AtomicFile.write(text, to: folder("\(name).json")) }
    }

    /// Writes the same vocabulary as tokenizer.json.
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

    @Test("added_tokens.json adds tokens to merges.txt, and special_tokens_map.json makes tokens special")
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

    @Test("added_tokens_decoder of tokenizer_config.json takes precedence over added_tokens.json")
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

    @Test("a token with a role is special without angle brackets, and keeps its id if a merge produces it")
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

    @Test("added tokens that only the settings files have are added to those of tokenizer.json")
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
        "a setting that would change ids is refused with the file and the name of the setting",
        arguments: [
            ("tokenizer_config", #"{"add_prefix_space":true}"#, "adds a space before the text (add_prefix_space)"),
            ("tokenizer_config", #"{"add_bos_token":true}"#, "adds a token to each text (add_bos_token)"),
            ("tokenizer_config", #"{"add_eos_token":true}"#, "adds a token to each text (add_eos_token)"),
            ("tokenizer_config", #"{"tokenizer_class":"Qwen2Tokenizer"}"#, "has the class Qwen2Tokenizer"),
            (
                "tokenizer_config", #"{"tokenizer_class":"RobertaTokenizerFast"}"#,
                "has the class RobertaTokenizerFast"
            ),
            (
                "tokenizer_config", #"{"added_tokens_decoder":{"x":{"content":"a"}}}"#,
                "has the key \"x\", which is not an id"
            ),
            ("tokenizer_config", #"{"added_tokens_decoder":{"258":{}}}"#, "has no content: {}"),
            ("tokenizer_config", #"{"eos_token":3}"#, "eos_token of tokenizer_config.json has no content: 3"),
            ("added_tokens", #"{"a b":300}"#, "but Hugging Face's tokenizers gives it the id 258"),
            ("added_tokens", #"{"a b":"x"}"#, "added_tokens.json has no id for \"a b\""),
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

    @Test("two different descriptions of a token are refused, unless the difference changes no ids")
    func conflict() throws {
        let own = #"[{"id":257,"content":"<m>","lstrip":false,"normalized":false,"special":true}]"#
        func open(_ flags: String) throws -> BytePairTokenizer {
            let token = #""257":{"content":"<m>",\#(flags)}"#
            try writeTokenizer([], own, files: ["tokenizer_config": #"{"added_tokens_decoder":{\#(token)}}"#])
            return try self.open().tokenizer
        }
        #expect(try open(#""normalized":true,"special":true"#).vocabularySize == 258)
        let error = try #require(throws: UserError.self) { try open(#""lstrip":true"#) }
        #expect(error.message.hasSuffix(#"tokenizer_config.json describes the added token "<m>" differently"#))
        try writeTokenizer([], own, files: ["tokenizer_config": "{}", "added_tokens": #"{"<m>":258}"#])
        #expect(throws: UserError.self) { try self.open() }
    }

    @Test(
        "the end-of-text token comes from the tokenizer's files, then from the model's files",
        arguments: [
            ([:], 258, nil),
            (["tokenizer_config": #"{"eos_token":"</s>"}"#], 257, nil),
            (["tokenizer_config": #"{"eos_token":{"__type":"AddedToken","content":"</s>"}}"#], 257, nil),
            (["special_tokens_map": #"{"eos_token":{"content":"</s>"}}"#], 257, nil),
            (["tokenizer_config": #"{"eos_token":null}"#, "config": #"{"eos_token_id":257}"#], 257, nil),
            (["config": #"{"eos_token_id":258}"#, "generation_config": #"{"eos_token_id":257}"#], 257, nil),
            (["generation_config": #"{"eos_token_id":[257]}"#], 257, nil),
            (["generation_config": #"{"eos_token_id":[257,258]}"#], 257, "[257, 258]; using only 257"),
            // Id 200 is in the vocabulary but is not an added token.
            (["config": #"{"eos_token_id":200}"#], 258, nil),
            (["config": #"{"eos_token_id":50256}"#], 258, nil),
            (["tokenizer_config": #"{"eos_token":"th"}"#], 256, nil),
            (
                ["tokenizer_config": #"{"eos_token":"</s>"}"#, "config": #"{"eos_token_id":258}"#], 257,
                "config.json has the end-of-text id 258, tokenizer_config.json has 257; using 257"
            ),
            (
                ["tokenizer_config": #"{"eos_token":"<none>"}"#], 258,
                #"names the end-of-text token "<none>", but the tokenizer has no such token; using id 258"#
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

        // The copy that is kept with a dataset has the same end-of-text token.
        try FileSystem.createFolder(folder("copy"))
        try TokenizerFile.save(tokenizer, folder: folder("copy"))
        #expect(try TokenizerFile.load(folder: folder("copy")).endOfText == id)
        let names = id == 258 ? ["tokenizer.json"] : ["tokenizer.json", "tokenizer_config.json"]
        #expect(try FileSystem.names(inFolder: folder("copy")) == names)
    }

    @Test("an end-of-text id that is not an added token is ignored with a notice if there is no other")
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
                "config.json has the end-of-text id 50256, which is not an added token; using no end-of-text token"
            ) == true
        )
        #expect(try TokenizerFile.open(Fixtures.path("cases/data/d11-eos")).endOfText == 256)
    }

    @Test("truncation and padding are ignored with a notice")
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
        #expect(
            notices.map { $0.hasSuffix("this setting is ignored, and texts are encoded unchanged") } == [true, true]
        )
    }

    @Test(
        "a post-processor that adds tokens is refused by name, and others are accepted",
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
        "a .tiktoken file with the size of an unsupported vocabulary is refused with the reason",
        arguments: [
            (50_280, "p50k_base, which has <|endoftext|> in the middle of its ids"),
            (100_256, "cl100k_base, which does not split text with GPT-2's pattern"),
            (128_000, "Llama 3, which does not split text with GPT-2's pattern"),
            (151_643, "Qwen, which does not split text with GPT-2's pattern"),
            (199_998, "o200k_base, which does not split text with GPT-2's pattern"),
            (200_000, "Llama 4, which does not split text with GPT-2's pattern"),
        ]
    )
    func knownSize(count: Int, reason: String) throws {
        try AtomicFile.write(String(repeating: "YQ== 0\n", count: count), to: folder("a.tiktoken"))
        #expect(refusal().contains("it has the \(count) tokens of \(reason)"))
    }

    @Test("a vocabulary with a token that GPT-2's pattern splits is refused, in .tiktoken files and in merges.txt")
    func unknownSize() throws {
        let bytes = PrintableBytes.order.map { [$0] }
        for (merges, token) in [(["( s", "(s e"], "(s"), ([". Ċ"], ".Ċ"), (["1 a"], "1a"), (["Ċ a"], "Ċa")] {
            let merged = merges.map { PrintableBytes.token(of: $0.filter { $0 != " " })! }
            let text = (bytes + merged).enumerated().map { "\(Self.base64($0.element)) \($0.offset)\n" }.joined()
            try AtomicFile.write(text, to: folder("a.tiktoken"))
            let reason = "GPT-2's pattern splits its token 256, \"\(token)\", so it was trained with another pattern"
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

    @Test("a notice says that GPT-2's pattern is assumed for a .tiktoken file, but not for GPT-2's own files")
    func assumed() throws {
        var notices: [String] = []
        _ = try TokenizerFile.open(BytePairFixture.folder + "/small.tiktoken") { notices.append($0) }
        #expect(notices.count == 1)
        #expect(notices.first?.contains("small.tiktoken does not contain the pattern that splits text") == true)
        #expect(notices.first?.contains("assuming GPT-2's pattern") == true)
        try BytePairFixture.small.write(folder: folder.path)
        for name in ["", "/merges.txt", "/tokenizer.json"] {
            _ = try TokenizerFile.open(folder.path + name) { notices.append($0) }
        }
        #expect(notices.count == 1, "\(notices)")
    }
}
