import Formats
import Platform
import TestSupport
import Testing

@testable import Tokenizers

@Suite("Tokenizers")
struct TokenizerTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func characters(of text: String) throws -> CharacterTokenizer {
        var survey = CharacterSurvey()
        try Array(text.utf8).withUnsafeBytes { try survey.add($0, source: "the text") }
        #expect(survey.characterCount == text.unicodeScalars.count)
        return CharacterTokenizer(scalars: survey.scalars)
    }

    @Test("ids follow the ascending order of scalars, like nanoGPT's sorted(set(text))")
    func order() throws {
        let tokenizer = try characters(of: "héllo\nwörld 🌍")
        #expect(String(String.UnicodeScalarView(tokenizer.scalars)) == "\n dhlorwéö🌍")
        #expect(try tokenizer.encode("hé🌍\n") == [3, 8, 10, 0])
    }

    @Test(
        "decoding the ids of a text returns the text",
        arguments: ["a", "one two\r\n\tthree", "naïve Ω Ω ünïcödé", "日本語の文章", "𝄞 🌍 e\u{301} é", ""]
    )
    func roundTrip(text: String) throws {
        let tokenizers: [any Tokenizer] = [try characters(of: text), ByteTokenizer()]
        for tokenizer in tokenizers {
            let ids = try tokenizer.encode(text)
            #expect(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.vocabularySize })
            #expect(tokenizer.decode(ids) == Array(text.utf8))
        }
    }

    @Test("canonically equivalent scalars are different characters")
    func canonicallyEqualScalars() throws {
        let tokenizer = try characters(of: "\u{3A9}\u{2126}")
        #expect(tokenizer.vocabularySize == 2)
        try TokenizerFile.save(tokenizer, folder: folder.path)
        let loaded = try #require(try TokenizerFile.load(folder: folder.path) as? CharacterTokenizer)
        #expect(loaded.scalars == tokenizer.scalars)
    }

    @Test("a character outside the vocabulary is refused with its byte offset")
    func unknownCharacter() throws {
        let tokenizer = try characters(of: "abé")
        let error = try #require(throws: UserError.self) { try tokenizer.encode("éab€") }
        #expect(error.kind == .data)
        #expect(
            error.message.hasPrefix(
                "the character € (U+20AC) at byte 4 of the text is not in the vocabulary of 3 characters"
            )
        )
        #expect(throws: UserError.self) { try tokenizer.encode("\u{0}") }
    }

    /// Ill-formed sequences just outside the ranges of table 3-7 of the Unicode standard.
    @Test(
        "bytes that are not UTF-8 are refused with their offset",
        arguments: [
            ([0x61, 0x80], 1), ([0xC0, 0xAF], 0), ([0xC1, 0x80], 0), ([0xE0, 0x9F, 0xBF], 0), ([0xED, 0xA0, 0x80], 0),
            ([0xF0, 0x8F, 0xBF, 0xBF], 0), ([0xF4, 0x90, 0x80, 0x80], 0), ([0xF5, 0x80, 0x80, 0x80], 0),
            ([0x61, 0x62, 0xE2, 0x82], 2), ([0xC3, 0xA9, 0xC3], 2), ([0xF0, 0x9F, 0x8C, 0x41], 0), ([0xFF], 0),
        ] as [([UInt8], Int)]
    )
    func invalidUTF8(bytes: [UInt8], offset: Int) {
        var survey = CharacterSurvey()
        let error = #expect(throws: UserError.self) {
            try bytes.withUnsafeBytes { try survey.add($0, source: "a.txt") }
        }
        #expect(error?.kind == .data)
        #expect(error?.message.hasPrefix("a.txt is not UTF-8: byte \(offset) is 0x") == true)
    }

    @Test("the scanner agrees with the standard library on every scalar")
    func everyScalar() {
        for value in (0..<UInt32(0x110000)) where Unicode.Scalar(value) != nil {
            let bytes = Array(UTF8.encode(Unicode.Scalar(value)!)!)
            let found = bytes.withUnsafeBytes { UTF8Scanner.scalar(in: $0, at: 0) }
            guard found.value == value, found.length == bytes.count else {
                Issue.record("U+\(String(value, radix: 16)) was read as U+\(String(found.value, radix: 16))")
                return
            }
        }
    }

    @Test("UTF-16 text is detected, and the message has the command that converts it")
    func utf16() {
        let bytes: [UInt8] = [0xFF, 0xFE, 0x61, 0x00]
        var survey = CharacterSurvey()
        let error = #expect(throws: UserError.self) {
            try bytes.withUnsafeBytes { try survey.add($0, source: "a.txt") }
        }
        #expect(error?.message.contains("iconv -f UTF-16") == true)
    }

    @Test("a saved tokenizer loads as the same tokenizer with the same hash")
    func files() throws {
        let tokenizer = try characters(of: "\"quoted\" \\ back\tslash\u{1}\u{7F} é")
        try TokenizerFile.save(tokenizer, folder: folder.path)
        let loaded = try TokenizerFile.load(folder: folder.path)
        #expect(loaded.name == "char")
        #expect((loaded as? CharacterTokenizer)?.scalars == tokenizer.scalars)
        #expect(try Checksum.sha256(ofFile: folder("tokenizer.json")) == TokenizerFile.hash(of: tokenizer))

        try TokenizerFile.save(ByteTokenizer(), folder: folder.path)
        #expect(try TokenizerFile.load(folder: folder.path) is ByteTokenizer)
    }

    @Test(
        "a tokenizer.json of another kind is refused with the reason",
        arguments: [
            (#"{}"#, "it has no model"),
            (#"{"model":{"type":"WordPiece","vocab":{"a":0}}}"#, "its model has type WordPiece"),
            (
                #"{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}"#,
                "its pre_tokenizer is none"
            ),
            (#"{"model":{"type":"BPE","vocab":{"a":0,"b":2},"merges":[]}}"#, "its ids are not 0 to 1"),
            (#"{"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}}"#, "its ids are not 0 to 1"),
            (#"{"model":{"type":"BPE","vocab":{"ab":0},"merges":[]}}"#, "its token \"ab\" is not a single character"),
            (#"{"model":{"type":"BPE","vocab":{},"merges":[]}}"#, "its vocabulary is empty"),
            (
                #"{"pre_tokenizer":{"type":"ByteLevel","use_regex":false},"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}"#,
                "its pre_tokenizer splits text into bytes, but its vocabulary is not the 256 bytes"
            ),
        ]
    )
    func unknownFiles(text: String, reason: String) throws {
        try AtomicFile.write(text, to: folder("tokenizer.json"))
        let error = try #require(throws: UserError.self) { try TokenizerFile.load(folder: folder.path) }
        #expect(error.kind == .data)
        #expect(error.message.contains(reason), "\(error.message)")
    }
}
