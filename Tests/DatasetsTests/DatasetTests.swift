import Foundation
import Platform
import TestSupport
import Testing

@testable import Datasets

@Suite("Datasets")
struct DatasetTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try FileSystem.createFolder(folder("set"))
    }

    private func write(_ ids: [UInt16], to name: String) throws {
        try ids.map(\.littleEndian).withUnsafeBytes { try AtomicFile.write($0, to: folder("set/" + name)) }
    }

    private func open() throws -> Dataset { try Dataset.open(folder: folder.path, name: "set") }

    private func tokens(_ sequence: TokenSequence, from position: Int, count: Int) throws -> [Int32] {
        var tokens = [Int32](repeating: -1, count: count)
        try tokens.withUnsafeMutableBufferPointer {
            try sequence.copy(from: position, count: count, into: $0.baseAddress!)
        }
        return tokens
    }

    /// Made in Python 3.11: `pickle.dumps({'vocab_size': 5, 'itos': dict(enumerate(chars)), 'stoi': …})`, chars
    /// "\nabhé".
    private static let meta = """
        gASVXQAAAAAAAAB9lCiMCnZvY2FiX3NpemWUSwWMBGl0b3OUfZQoSwCMAQqUSwGMAWGUSwKMAWKUSwOMAWiUSwSMAsOplHWMBHN0b2mUfZQo\
        aARLAGgFSwFoBksCaAdLA2gISwR1dS4=
        """

    @Test("nanoGPT's folder is read: tokens, vocabulary and characters")
    func nanoGPT() throws {
        try write([0, 1, 2, 3, 4, 3, 2], to: "train.bin")
        try write([4, 4, 1], to: "val.bin")
        try AtomicFile.write([UInt8](Data(base64Encoded: Self.meta)!), to: folder("set/meta.pkl"))
        let dataset = try open()
        #expect(dataset.vocabularySize == 5)
        #expect(dataset.tokenizer?.name == "char")
        #expect(dataset.tokenizer?.decode([3, 4, 0]) == Array("hé\n".utf8))
        #expect(try tokens(dataset.train, from: 0, count: 7) == [0, 1, 2, 3, 4, 3, 2])
        #expect(try tokens(dataset.sequence(of: .validation), from: 1, count: 2) == [4, 1])
        #expect(dataset.demo == nil)
    }

    @Test("a folder with only token files has GPT-2's padded vocabulary and no tokenizer")
    func tokensAlone() throws {
        try write([0, 50256], to: "train.bin")
        try write([50303], to: "val.bin")
        let dataset = try open()
        #expect(dataset.vocabularySize == 50304)
        #expect(dataset.tokenizer == nil)
    }

    @Test("the fingerprint depends on the tokens and not on the folder")
    func fingerprint() throws {
        try write([0, 1, 2], to: "train.bin")
        try write([3], to: "val.bin")
        let first = try open().fingerprint
        try FileSystem.rename(folder("set"), to: folder("other"))
        #expect(try Dataset.open(folder: folder.path, name: "other").fingerprint == first)
        try FileSystem.rename(folder("other"), to: folder("set"))
        try write([0, 1, 3], to: "train.bin")
        #expect(try open().fingerprint != first)
    }

    @Test("an id beyond the vocabulary is found when it is read")
    func idBeyondVocabulary() throws {
        try write([1, 2, 3, 9, 1], to: "train.bin")
        let sequence = TokenSequence(files: [try TokenFile(path: folder("set/train.bin"))], vocabularySize: 4)
        #expect(try tokens(sequence, from: 0, count: 3) == [1, 2, 3])
        let error = try #require(throws: UserError.self) { try tokens(sequence, from: 2, count: 3) }
        #expect(error.message.contains("token 3 has the id 9, beyond the vocabulary of 4"))
        #expect(throws: UserError.self) { try TokenSequence(tokens: [0, -1], vocabularySize: 2) }
    }

    @Test("a token file that is empty or ends in the middle of a token is refused")
    func cutFiles() throws {
        try write([1, 2, 3], to: "val.bin")
        try AtomicFile.write([1, 0, 2], to: folder("set/train.bin"))
        let odd = try #require(throws: UserError.self) { try open() }
        #expect(odd.kind == .data)
        #expect(odd.message.hasPrefix("\(folder("set/train.bin")) has 3 bytes, which is not a whole number of tokens"))
        try write([], to: "train.bin")
        let empty = try #require(throws: UserError.self) { try open() }
        #expect(empty == UserError(.data, "\(folder("set/train.bin")) is empty; prepare the dataset again"))
    }

    @Test("the error for a missing dataset has the command that prepares it")
    func missing() throws {
        let place = folder.path
        #expect(
            throws: UserError(
                .data,
                "there is no dataset shakespeare_char in \(place): prepare it with "
                    + "`ddp-train prepare shakespeare_char --data_dir \(place)`"
            )
        ) { try Dataset.open(folder: place, name: "shakespeare_char") }
        #expect(
            throws: UserError(
                .data,
                "there is no dataset tales in data: prepare it with `ddp-train prepare --input FILE --name tales`"
            )
        ) { try Dataset.open(folder: "data", name: "tales") }
        try write([1], to: "val.bin")
        let half = try #require(throws: UserError.self) { try open() }
        #expect(half.message.contains("has no train.bin"))
    }

    @Test("the error for a missing dataset suggests a similar name of a prepared or known dataset")
    func nearestName() throws {
        try write([1], to: "train.bin")
        try write([1], to: "val.bin")
        for (name, meant) in [("sett", "set"), ("shakespear_char", "shakespeare_char"), ("openwebtxt", "openwebtext")] {
            let error = try #require(throws: UserError.self) { try Dataset.open(folder: folder.path, name: name) }
            #expect(error.message.hasSuffix("; did you mean \(meant)?"), "\(error.message)")
        }
        let other = try #require(throws: UserError.self) { try Dataset.open(folder: folder.path, name: "tales") }
        #expect(!other.message.contains("did you mean"))
    }

    @Test(
        "a path given as a name, and a dataset given as the data folder, are refused with the correct options"
    )
    func pathForName() throws {
        try write([1], to: "train.bin")
        let options = "use --data_dir=\(folder.path) --dataset=set"
        let path = folder("set")
        #expect(
            throws: UserError(.usage, "\(path) is the path of a dataset, but its name is needed: \(options)")
        ) { try Dataset.open(folder: "data", name: path) }
        #expect(
            throws: UserError(.data, "\(path) is a dataset, not a folder of datasets: \(options)")
        ) { try Dataset.open(folder: path, name: "set") }
    }

    @Test("an invalid name is refused", arguments: ["", "..", ".hidden", "a/b", "/tmp"])
    func names(name: String) {
        let error = #expect(throws: UserError.self) { try Dataset.open(folder: folder.path, name: name) }
        #expect(error?.kind == .usage)
    }

    @Test("a damaged meta.pkl is a data error")
    func brokenMeta() throws {
        try write([0], to: "train.bin")
        try write([0], to: "val.bin")
        try AtomicFile.write("no pickle", to: folder("set/meta.pkl"))
        let error = #expect(throws: UserError.self) { try open() }
        #expect(error?.kind == .data)
        // {'vocab_size': 0}
        try AtomicFile.write([UInt8](Data(base64Encoded: "gAR9lIwKdm9jYWJfc2l6ZZRLAHMu")!), to: folder("set/meta.pkl"))
        #expect(
            throws: UserError(
                .data,
                "\(folder("set/meta.pkl")): vocab_size must be a whole number from 1 to 1048576, but it is 0"
            )
        ) {
            try open()
        }
    }

    @Test("reading past the last token continues with the first")
    func ring() throws {
        try write([5, 6, 7], to: "train.bin")
        let file = TokenSequence(files: [try TokenFile(path: folder("set/train.bin"))], vocabularySize: 8)
        let memory = try TokenSequence(tokens: [5, 6, 7], vocabularySize: 8)
        for sequence in [file, memory] {
            #expect(try tokens(sequence, from: 2, count: 8) == [7, 5, 6, 7, 5, 6, 7, 5])
        }
    }
}
