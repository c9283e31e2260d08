import Formats
import Platform
import TestSupport
import Testing

@testable import Tokenizers

@Suite("Byte pairs: added tokens")
struct AddedTokenTests {
    /// A case of Tests/Fixtures/added_tokens/cases.json, which make.py in the same folder writes.
    struct Case: Sendable, CustomTestStringConvertible {
        let added: JSONValue
        let texts: [(text: String, ids: [Int32], ordinary: [Int32])]

        var testDescription: String {
            (added.arrayValue ?? []).compactMap { $0["content"]?.text() }.joined(separator: " ")
        }
    }

    private static let fixture = try! JSONValue(ofFile: Fixtures.path("added_tokens/cases.json"))

    static let cases = fixture["cases"]!.arrayValue!.map { value in
        func ids(_ value: JSONValue?) -> [Int32] { value!.arrayValue!.map { Int32($0.integerValue!) } }
        return Case(
            added: value["added_tokens"]!,
            texts: value["texts"]!.arrayValue!.map { ($0["text"]!.stringValue!, ids($0["ids"]), ids($0["ordinary"])) }
        )
    }

    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func open(_ path: String) throws -> BytePairTokenizer {
        try #require(try TokenizerFile.open(path) as? BytePairTokenizer)
    }

    /// Returns the fixture's tokenizer with other added tokens.
    private func tokenizer(_ added: JSONValue) throws -> BytePairTokenizer {
        let members = Self.fixture["tokenizer"]!.objectValue!.map {
            $0.name == "added_tokens" ? JSONValue.Member($0.name, added) : $0
        }
        try AtomicFile.write(JSONValue.object(members).text(), to: folder("tokenizer.json"))
        return try open(folder("tokenizer.json"))
    }

    @Test(
        "ids equal those of Hugging Face's tokenizers, whether special tokens are recognized or encoded as text",
        arguments: cases
    )
    func ids(_ known: Case) throws {
        let tokenizer = try tokenizer(known.added)
        let recognizing = BytePairTokenizer(tokenizer.vocabulary, recognizingSpecials: true)
        for (text, ids, ordinary) in known.texts {
            #expect(try tokenizer.encode(text) == ordinary, "\(text.debugDescription)")
            #expect(try tokenizer.encodePrompt(Array(text.utf8)) == ids, "\(text.debugDescription)")
            #expect(try recognizing.encode(text) == ids, "\(text.debugDescription)")
        }
    }

    @Test("a written tokenizer is read back unchanged", arguments: cases)
    func roundTrip(_ known: Case) throws {
        let tokenizer = try tokenizer(known.added)
        try TokenizerFile.save(tokenizer, folder: folder.path)
        let again = try open(folder.path)
        #expect(again.vocabulary == tokenizer.vocabulary)
        #expect(try Checksum.sha256(ofFile: folder("tokenizer.json")) == TokenizerFile.hash(of: again))
        for (text, ids, _) in known.texts { #expect(try again.encodePrompt(Array(text.utf8)) == ids) }
    }

    @Test("pieces of any size that are cut at lastCut have the ids of the whole text", arguments: cases)
    func cuts(_ known: Case) throws {
        let vocabulary = try tokenizer(known.added).vocabulary
        let text = known.texts.flatMap { Array($0.text.utf8) + Array("the of".utf8) } + mixedBytes(200, seed: 3)
        for recognizingSpecials in [false, true] {
            let tokenizer = BytePairTokenizer(vocabulary, recognizingSpecials: recognizingSpecials)
            let whole = try tokenizer.encode(text)
            for size in [1, 2, 3, 5, 8, 13, 50] {
                let pieces = try BytePairFixture.encodeInPieces(text, of: size, with: tokenizer)
                #expect(pieces == whole, "pieces of \(size), special tokens \(recognizingSpecials)")
            }
        }
    }

    @Test(
        "added tokens that are not special, or that strip white space, get the ids of Hugging Face's tokenizers"
    )
    func fieldCases() throws {
        let added = try open(Fixtures.path("cases/data/d5-added"))
        let text = try FileSystem.read(Fixtures.path("cases/data/d5-text.txt"))
        let sentence: [Int32] = [83, 71, 68, 220, 257, 220, 78, 69, 69, 72, 66, 68, 13, 220]
        #expect(try added.encode(text) == Array(repeatElement(sentence, count: 30).joined()))
        let strips = try open(Fixtures.path("cases/data/d5-lstrip"))
        #expect(try strips.encodePrompt(Array("a  <mask> b<mask>".utf8)) == [64, 257, 220, 65, 257])
        #expect(try strips.encode("<mask>") == [27, 76, 64, 82, 74, 29])
    }

    @Test("the normalized flag changes the file and its hash only if it changes ids")
    func redundantNormalization() throws {
        func hash(_ flags: String...) throws -> String {
            let tokens = zip(["<|endoftext|>", "[PAD]", "]x"], flags).enumerated().map { index, token in
                JSONValue.object([
                    .init("id", .integer(262 + index)), .init("content", .string(token.0)),
                    .init("normalized", .bool(token.1 == "normalized")), .init("special", .bool(true)),
                ])
            }
            return TokenizerFile.hash(of: try tokenizer(.array(tokens)))
        }
        let plain = try hash("", "")
        #expect(try hash("normalized", "normalized") == plain)
        #expect(try hash("normalized", "") == plain)
        // The contents "[PAD]" and "]x" can overlap in a text.
        #expect(try hash("", "normalized", "") != hash("", "", ""))
        #expect(try hash("normalized", "normalized", "normalized") == hash("", "", ""))
    }

    @Test(
        "an added token is refused if Hugging Face's tokenizers would give it another id",
        arguments: [
            (
                #"[{"id":263,"content":"[1]"},{"id":262,"content":"[2]"}]"#,
                #"its added token "[1]" has the id 263, but"#
            ),
            (#"[{"id":300,"content":"[1]"}]"#, "gives it the id 262: the ids of added tokens follow the vocabulary"),
            (#"[{"id":262,"content":"!"}]"#, #"its token "!" has two ids, 0 and 262"#),
            (#"[{"id":262,"content":"[1]"},{"id":263,"content":"[1]"}]"#, #"it has the added token "[1]" twice"#),
            (#"[{"id":262,"content":""}]"#, "its added token 262 is empty"),
            (#"[{"id":262}]"#, "an added token has no content or no id"),
            (#"[{"content":"x"}]"#, "an added token has no content or no id"),
        ]
    )
    func otherIDs(added: String, reason: String) throws {
        try AtomicFile.write(added, to: folder("added"))
        let error = try #require(throws: UserError.self) { try tokenizer(JSONValue(ofFile: folder("added"))) }
        #expect(error.kind == .data)
        #expect(error.message.contains(reason), "\(error.message)")
    }
}
