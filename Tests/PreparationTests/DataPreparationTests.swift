import Formats
import Foundation
import Platform
import TestSupport
import Testing

@testable import Datasets
@testable import Preparation
@testable import Tokenizers

@Suite("Data preparation")
struct DataPreparationTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func write(_ text: String, to name: String) throws -> String {
        try AtomicFile.write(text, to: folder(name))
        return folder(name)
    }

    private func request(_ paths: [String], tokenizer: TokenizerSource? = nil) -> PreparationRequest {
        PreparationRequest(source: .inputs(paths), name: "mine", dataFolder: folder("data"), tokenizer: tokenizer)
    }

    private func tokens(_ sequence: TokenSequence) throws -> [Int32] {
        var tokens = [Int32](repeating: -1, count: sequence.count)
        try tokens.withUnsafeMutableBufferPointer {
            try sequence.copy(from: 0, count: $0.count, into: $0.baseAddress!)
        }
        return tokens
    }

    @Test("files become a character dataset, with 90 % for training, that decodes to their text")
    func characters() throws {
        let (first, second) = ("Zwölf Boxkämpfer jagen Viktor.\n", "And a bit more: 3.1416 𝄞")
        let paths = [try write(first, to: "a.txt"), try write(second, to: "b.txt")]
        let result = try DataPreparation.run(request(paths))
        let count = (first + second).unicodeScalars.count
        #expect(result.trainTokens == Int(Double(count) * 0.9))
        #expect(result.trainTokens + result.validationTokens == count)
        #expect(result.tokenizer == "char")
        #expect(result.isTokenizerChosen)

        let dataset = try Dataset.open(folder: folder("data"), name: "mine")
        #expect(dataset.vocabularySize == Set((first + second).unicodeScalars).count)
        let ids = try tokens(dataset.train) + tokens(dataset.validation)
        #expect(dataset.tokenizer?.decode(ids) == Array((first + second).utf8))
        #expect(dataset.train.count == result.trainTokens)
        #expect(
            try FileSystem.names(inFolder: result.path) == ["dataset.json", "tokenizer.json", "train.bin", "val.bin"]
        )
        #expect(try folder.names == ["a.txt", "b.txt", "data"])
    }

    @Test("a text that is longer than a piece is cut between characters")
    func longText() throws {
        // Each character has three bytes. 2^20 is not a multiple of three, so a piece would end within a character.
        let text = String(repeating: "日本語の文", count: 90_000)
        let path = try write(text, to: "a.txt")
        var stages: [PreparationProgress] = []
        let result = try DataPreparation.run(request([path])) { stages.append($0) }
        let dataset = try Dataset.open(folder: folder("data"), name: "mine")
        #expect(result.trainTokens == 405_000)
        #expect(dataset.tokenizer?.decode(try tokens(dataset.validation)) == Array(text.utf8.suffix(3 * 45_000)))
        #expect(stages.last == .init(stage: .tokenizing, doneBytes: 1_350_000, totalBytes: 1_350_000))
        #expect(stages.contains { $0.stage == .reading && $0.doneBytes == 1_350_000 })
        #expect(stages.count >= 2)
    }

    @Test("bytes in any encoding become a byte dataset")
    func bytes() throws {
        // Starts with 254, because a file that starts with FF FE would be UTF-16.
        let bytes = (0..<100).map { UInt8(254 - $0) }
        try AtomicFile.write(bytes, to: folder("a"))
        let result = try DataPreparation.run(request([folder("a")], tokenizer: .byte))
        #expect(result.vocabularySize == 256)
        #expect(!result.isTokenizerChosen)
        let dataset = try Dataset.open(folder: folder("data"), name: "mine")
        #expect(dataset.tokenizer is ByteTokenizer)
        #expect(try tokens(dataset.train) == bytes[..<90].map { Int32($0) })
    }

    @Test("dataset.json has the sources of the tokens and the hashes of all files")
    func description() throws {
        let text = "to be, or not to be"
        let path = try write(text, to: "hamlet.txt")
        let result = try DataPreparation.run(request([path]))
        let description = try DatasetDescription(path: result.path + "/dataset.json")
        #expect(description.text.utf8.elementsEqual(try FileSystem.read(result.path + "/dataset.json")))
        #expect(description.sources == [.init(name: "hamlet.txt", bytes: 19, sha256: Checksum.sha256(of: text))])
        #expect(description.elementType == "uint16")
        #expect(description.rule == .position(trainShare: 0.9))
        #expect(description.trainText == .init(bytes: 17, documents: 1))
        #expect(description.validationText == .init(bytes: 2, documents: 1))
        #expect(description.train.map(\.tokens) == [17])
        #expect(description.train.map(\.sha256) == [try Checksum.sha256(ofFile: result.path + "/train.bin")])
        #expect(description.tokenizer.sha256 == (try Checksum.sha256(ofFile: result.path + "/tokenizer.json")))
        #expect(description.demo == nil)
    }

    @Test("the fingerprint depends on the content and not on the name of the dataset")
    func fingerprint() throws {
        let path = try write("some text to prepare", to: "a.txt")
        _ = try DataPreparation.run(request([path]))
        var other = request([try write("some text to prepare", to: "b.txt")])
        other.name = "other"
        _ = try DataPreparation.run(other)
        let first = try Dataset.open(folder: folder("data"), name: "mine").fingerprint
        #expect(try Dataset.open(folder: folder("data"), name: "other").fingerprint == first)
        other.overwrite = true
        other.tokenizer = .byte
        _ = try DataPreparation.run(other)
        #expect(try Dataset.open(folder: folder("data"), name: "other").fingerprint != first)
    }

    @Test("an existing dataset is replaced only with overwrite")
    func overwriting() throws {
        let path = try write("some text to prepare", to: "a.txt")
        _ = try DataPreparation.run(request([path]))
        var second = request([try write("another text, longer than the first", to: "b.txt")])
        #expect(
            throws: UserError(
                .usage,
                "\(folder("data"))/mine already exists; choose another --name or replace it with --overwrite"
            )
        ) { try DataPreparation.run(second) }
        #expect(try Dataset.open(folder: folder("data"), name: "mine").train.count == 18)
        second.overwrite = true
        _ = try DataPreparation.run(second)
        #expect(try Dataset.open(folder: folder("data"), name: "mine").train.count == 31)
        #expect(try FileSystem.names(inFolder: folder("data")) == ["mine"])
    }

    @Test("a dataset folder with other files is not overwritten")
    func foreignFiles() throws {
        try FileSystem.createFolder(folder("data/mine"))
        var request = request([try write("some text to prepare", to: "data/mine/input.txt")])
        request.overwrite = true
        let error = try #require(throws: UserError.self) { try DataPreparation.run(request) }
        #expect(error.kind == .usage)
        #expect(error.message.contains("such as input.txt"))
        #expect(try FileSystem.names(inFolder: folder("data/mine")) == ["input.txt"])
        _ = try write("a file", to: "data/other")
        request.name = "other"
        #expect(throws: UserError.self) { try DataPreparation.run(request) }
        #expect(try FileSystem.read(folder("data/other")) == Array("a file".utf8))
    }

    @Test("a dataset with truncated tokens or another tokenizer does not open")
    func damaged() throws {
        let path = try write("some text to prepare", to: "a.txt")
        let result = try DataPreparation.run(request([path]))
        let train = try FileSystem.read(result.path + "/train.bin")
        try AtomicFile.write(Array(train.dropLast(2)), to: result.path + "/train.bin")
        let cut = try #require(throws: UserError.self) { try Dataset.open(folder: folder("data"), name: "mine") }
        #expect(cut.kind == .data)
        #expect(
            cut.message.hasPrefix("\(result.path)/train.bin has 34 bytes, but dataset.json says 18 tokens of 2 bytes")
        )
        try AtomicFile.write(train, to: result.path + "/train.bin")

        var survey = CharacterSurvey()
        try Array("abcdefghijk".utf8).withUnsafeBytes { try survey.add($0, source: "") }
        try TokenizerFile.save(CharacterTokenizer(scalars: survey.scalars), folder: result.path)
        let other = try #require(throws: UserError.self) { try Dataset.open(folder: folder("data"), name: "mine") }
        #expect(other.message.contains("is not the tokenizer that made this dataset"))
    }

    @Test(
        "an invalid dataset.json is refused with the name of the invalid member",
        arguments: [
            ("\"version\": 1", "\"version\": 9", "has version 9"),
            ("\"uint16\"", "\"uint64\"", "tokens of type uint64"),
            ("\"vocabulary_size\"", "\"size\"", "vocabulary_size is missing"),
            ("\"train.bin\"", "\"../train.bin\"", "splits.train.files.name is missing or wrong"),
            ("{", "", "is not valid JSON"),
        ]
    )
    func brokenDescription(part: String, replacement: String, reason: String) throws {
        let result = try DataPreparation.run(request([try write("some text to prepare", to: "a.txt")]))
        let path = result.path + "/dataset.json"
        let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
        let range = try #require(text.firstRange(of: part))
        try AtomicFile.write(text.replacingCharacters(in: range, with: replacement), to: path)
        let error = try #require(throws: UserError.self) { try Dataset.open(folder: folder("data"), name: "mine") }
        #expect(error.kind == .data)
        #expect(error.message.contains(reason), "\(error.message)")
    }

    // MARK: - Bad input

    @Test("no input, a missing file and an empty file are refused with the name of the file")
    func missingFiles() throws {
        let none = #expect(throws: UserError.self) { try DataPreparation.run(request([])) }
        #expect(none?.kind == .usage)
        let missing = folder("missing.txt")
        #expect(throws: UserError(.inputOutput, "cannot open \(missing): No such file or directory")) {
            try DataPreparation.run(request([missing]))
        }
        let empty = try write("", to: "empty.txt")
        #expect(throws: UserError(.data, "\(empty) is empty: there is no text to prepare")) {
            try DataPreparation.run(request([try write("text", to: "a.txt"), empty]))
        }
        #expect(try folder.names == ["a.txt", "empty.txt"])
    }

    @Test("text that is not UTF-8 is refused with its file and byte offset, and no files are left")
    func notUTF8() throws {
        try AtomicFile.write(Array("some text, then ".utf8) + [0xE9, 0x20], to: folder("latin1.txt"))
        let error = try #require(throws: UserError.self) {
            try DataPreparation.run(request([try write("fine", to: "a.txt"), folder("latin1.txt")]))
        }
        #expect(error.kind == .data)
        #expect(error.message.hasPrefix("\(folder("latin1.txt")) is not UTF-8: byte 16 is 0xE9"))
        #expect(try folder.names == ["a.txt", "latin1.txt"])
    }

    @Test("a text that is too short to split is refused")
    func tooShort() throws {
        let path = try write("tiny", to: "a.txt")
        let error = #expect(throws: UserError.self) { try DataPreparation.run(request([path])) }
        #expect(error?.kind == .data)
    }

    @Test("a text over 2 MB gets a byte-pair tokenizer, unless the request asks for characters")
    func largeText() throws {
        let text = String(repeating: "0123456789 and möre\n", count: 110_000)
        let path = try write(text, to: "a.txt")
        let result = try DataPreparation.run(request([path]))
        #expect(result.tokenizer == "bpe")
        #expect(result.isTokenizerChosen)
        // The text has four distinct pre-tokens, so training stops after few merges.
        #expect((257...300).contains(result.vocabularySize), "\(result.vocabularySize)")
        #expect(result.trainTokens + result.validationTokens == 4 * 110_000)
        let dataset = try Dataset.open(folder: folder("data"), name: "mine")
        let all = try tokens(dataset.train) + tokens(dataset.validation)
        #expect(dataset.tokenizer?.decode(all) == Array(text.utf8))

        var characters = request([path], tokenizer: .char)
        characters.overwrite = true
        #expect(try DataPreparation.run(characters).vocabularySize == 19)
    }

    @Test("documents are encoded with the requested tokenizer, each followed by the end-of-text token")
    func namedTokenizer() throws {
        try FileSystem.createFolder(folder("docs"))
        let paths = try (0..<40).map { try write("Document \($0).\n", to: "docs/\($0).txt") }
        let tokenizer = Fixtures.path("bytepair/small.tiktoken")
        var request = request([folder("docs")], tokenizer: .path(tokenizer))
        request.validationShare = 0.3
        let result = try DataPreparation.run(request)
        let dataset = try Dataset.open(folder: folder("data"), name: "mine")
        let documents = try #require(result.documents)
        #expect(documents.train + documents.validation == paths.count)
        let end = try #require(dataset.endOfText)
        #expect(try tokens(dataset.train).filter { $0 == end }.count == documents.train)
        #expect(try tokens(dataset.validation).filter { $0 == end }.count == documents.validation)
        #expect(dataset.vocabularySize == 800)
    }

    @Test("10 % of the documents are for validation if the default share would give too few tokens")
    func shortDocuments() throws {
        let text = (0..<2500).map { "Speech \($0): some words.\n\n" }.joined()
        var request = request([try write(text, to: "speeches.txt")], tokenizer: .char)
        request.separator = "\n\n"
        let documents = try #require(try DataPreparation.run(request).documents)
        #expect(documents.train + documents.validation == 2500)
        #expect((200...300).contains(documents.validation), "\(documents)")
        // A requested share is not changed.
        request.validationShare = 0.002
        request.overwrite = true
        #expect(try #require(try DataPreparation.run(request).documents).validation < 20)
    }

    @Test("a data folder that cannot be created is an input/output error")
    func unwritableFolder() throws {
        let path = try write("some text to prepare", to: "a.txt")
        var request = request([path])
        request.dataFolder = path + "/data"
        let error = try #require(throws: UserError.self) { try DataPreparation.run(request) }
        #expect(error.kind == .inputOutput)
        #expect(error.message.contains("Not a directory"))
    }

    @Test("a data folder without write permission is an input/output error", .enabled(if: geteuid() != 0))
    func forbiddenFolder() throws {
        let path = try write("some text to prepare", to: "a.txt")
        try FileSystem.createFolder(folder("data"))
        chmod(folder("data"), 0o555)
        defer { chmod(folder("data"), 0o755) }
        let error = #expect(throws: UserError.self) { try DataPreparation.run(request([path])) }
        #expect(error?.kind == .inputOutput)
    }

    // MARK: - Interrupted

    @Test(
        "tokens are kept if the tokenizer or dataset.json cannot be written, or the folder cannot be renamed",
        arguments: [".mine.unfinished/tokenizer.json", ".mine.unfinished/dataset.json", "mine"]
    )
    func end(obstacle: String) throws {
        let path = try write(String(repeating: "some text to prepare\n", count: 1000), to: "a.txt")
        // Shards are smaller than the text, so the state is saved. The last shard of each split is not full.
        var whole = request([path], tokenizer: .byte)
        whole.shardSize = 1000
        var stopped = whole
        stopped.dataFolder = folder("stopped")
        let unfinished = folder("stopped/.mine.unfinished")
        let error = try #require(throws: UserError.self) {
            try DataPreparation.run(stopped) { progress in
                // A rename cannot replace a folder that is not empty.
                if progress.stage == .tokenizing { try? FileSystem.createFolder(folder("stopped/\(obstacle)/x")) }
            }
        }
        #expect(
            error.message.hasSuffix(
                " are kept in \(unfinished): fix this and run the same command again to continue"
            ),
            "\(error.message)"
        )
        try FileSystem.remove(folder("stopped/" + obstacle))
        let result = try DataPreparation.run(stopped)
        #expect(result.continuedTokens == 21_000)
        #expect(try FileSystem.names(inFolder: folder("stopped")) == ["mine"])
        let other = try DataPreparation.run(whole)
        let names = try FileSystem.names(inFolder: other.path)
        #expect(try FileSystem.names(inFolder: result.path) == names)
        for name in names where name.hasSuffix(".bin") {
            let (first, second) = (result.path + "/" + name, other.path + "/" + name)
            #expect(try FileSystem.read(first) == FileSystem.read(second), "\(name)")
        }
    }

    @Test("after an error in a file, the message says that a changed text starts from the beginning")
    func fixedText() throws {
        // A batch with bad data is not written, so the bad line comes after the first batch of 4 MB.
        let text = (0..<5000).map { "\($0): " + String(repeating: "some words, ", count: 90) + "\n" }.joined()
        _ = try write(text, to: "a.txt")
        var request = request([folder("a.txt"), try write("{\"text\": \n", to: "b.jsonl")], tokenizer: .byte)
        request.separator = "\n"
        request.validationShare = 0.1
        request.shardSize = 1_000_000
        let error = try #require(throws: UserError.self) { try DataPreparation.run(request) }
        #expect(error.kind == .data)
        #expect(error.message.hasPrefix("\(folder("b.jsonl")): line 1 is not JSON"), "\(error.message)")
        #expect(!error.message.contains("fix this"), "\(error.message)")
        #expect(
            error.message.hasSuffix("and starts from the beginning if you change the text"),
            "\(error.message)"
        )
        #expect(try FileSystem.names(inFolder: folder("data")) == [".mine.unfinished"])
        _ = try write("{\"text\": \"fine now\"}\n", to: "b.jsonl")
        #expect(try DataPreparation.run(request).continuedTokens == 0)
        #expect(try FileSystem.names(inFolder: folder("data")) == ["mine"])
    }

    @Test("a preparation removes the temporary folder of an interrupted one")
    func leftovers() throws {
        let path = try write("some text to prepare", to: "a.txt")
        let left = folder("data/.mine.99999-1.partial")
        try FileSystem.createFolder(left)
        try AtomicFile.write("half", to: left + "/train.bin")
        _ = try DataPreparation.run(request([path]))
        #expect(try FileSystem.names(inFolder: folder("data")) == ["mine"])
    }
}
