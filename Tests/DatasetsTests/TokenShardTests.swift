import Platform
import Preparation
import TestSupport
import Testing

@testable import Datasets

@Suite("Token files with headers, and shards")
struct TokenShardTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try FileSystem.createFolder(folder("set"))
    }

    private func open() throws -> Dataset { try Dataset.open(folder: folder.path, name: "set") }

    private func write(_ words: [UInt32], width: Int, header: [Int32]? = nil, to name: String) throws {
        var bytes: [UInt8] = []
        for word in header.map({ $0 + [Int32](repeating: 0, count: 256 - $0.count) }) ?? [] {
            withUnsafeBytes(of: word.littleEndian) { bytes += $0 }
        }
        for word in words { withUnsafeBytes(of: word.littleEndian) { bytes += $0.prefix(width) } }
        try AtomicFile.write(bytes, to: folder("set/" + name))
    }

    private func writeShard(_ ids: [UInt32], to name: String) throws {
        try write(ids, width: 2, header: [20_240_520, 1, Int32(ids.count)], to: name)
    }

    private func all(_ sequence: TokenSequence, from position: Int = 0, count: Int? = nil) throws -> [Int32] {
        var tokens = [Int32](repeating: -1, count: count ?? sequence.count)
        try tokens.withUnsafeMutableBufferPointer {
            try sequence.copy(from: position, count: $0.count, into: $0.baseAddress!)
        }
        return tokens
    }

    @Test(
        "shards of llm.c and modded-nanogpt form one sequence in the order of their names, and windows can span them"
    )
    func shards() throws {
        try writeShard([4, 50256, 6], to: "fineweb_train_000002.bin")
        try writeShard([1, 2, 3], to: "fineweb_train_000001.bin")
        try writeShard([7], to: "fineweb_train_000003.bin")
        try writeShard([8, 9], to: "fineweb_val_000000.bin")
        let dataset = try open()
        #expect(dataset.vocabularySize == 50304 && dataset.tokenizer == nil)
        let expected: [Int32] = [1, 2, 3, 4, 50256, 6, 7]
        #expect(try all(dataset.train) == expected)
        #expect(try all(dataset.validation) == [8, 9])
        for start in 0..<7 {
            for count in 1...16 {
                let window = (start..<start + count).map { expected[$0 % 7] }
                #expect(try all(dataset.train, from: start, count: count) == window)
            }
        }
    }

    @Test("shards of Llama 3 tokens have 32 bits per id and Llama 3's vocabulary")
    func llama3() throws {
        for name in ["edu_fineweb_train_000001.bin", "edu_fineweb_val_000000.bin"] {
            try write([128_000, 70_000, 3], width: 4, header: [20_240_801, 7, 3], to: name)
        }
        let dataset = try open()
        #expect(dataset.vocabularySize == 128_256)
        #expect(try all(dataset.train) == [128_000, 70_000, 3])
    }

    @Test("a shard whose size does not match its header, or with an unsupported version, is refused")
    func damagedHeader() throws {
        try writeShard([1], to: "val.bin")
        for (header, message) in [
            ([20_240_520, 1, 4], "has 1030 bytes, but its header says 4 tokens, which need 1032: it was truncated"),
            ([20_240_520, 1, 2], "has 1030 bytes, but its header says 2 tokens, which need 1028"),
            ([20_240_520, 1, -3], "its header says -3 tokens"),
            ([20_240_520, 2, 3], "is an llm.c shard of GPT-2 tokens of version 2, but only version 1 is supported"),
            ([20_240_801, 7, 3], "its header says 3 tokens, which need 1036"),
        ] as [([Int32], String)] {
            try write([1, 2, 3], width: 2, header: header, to: "train.bin")
            let error = try #require(throws: UserError.self) { try open() }
            #expect(error.kind == .data)
            #expect(error.message.contains(message), "\(error.message)")
        }
    }

    @Test("shards of different tokenizers in one folder are refused, with an example of each")
    func mixed() throws {
        try writeShard([1, 2], to: "a_train_0.bin")
        try writeShard([1, 2], to: "a_val_0.bin")
        try write([1, 2], width: 4, header: [20_240_801, 7, 2], to: "b_train_0.bin")
        let error = try #require(throws: UserError.self) { try open() }
        #expect(
            error
                == UserError(
                    .data,
                    """
                    \(folder("set")) mixes token files of different kinds: \(folder("set/a_train_0.bin")) is an llm.c \
                    shard of GPT-2 tokens, \(folder("set/b_train_0.bin")) is an llm.c shard of Llama 3 tokens; move \
                    the files of each tokenizer to a folder of their own
                    """
                )
        )
        try FileSystem.remove(folder("set/b_train_0.bin"))
        try write([1, 2], width: 2, to: "b_train_0.bin")
        let headerless = try #require(throws: UserError.self) { try open() }
        #expect(headerless.message.contains("b_train_0.bin is uint16 without a header"))
    }

    @Test("a name with both splits is refused, and train.bin takes precedence over shards")
    func names() throws {
        try write([1, 2], width: 2, to: "old_train_val.bin")
        let error = try #require(throws: UserError.self) { try open() }
        #expect(
            error.message
                == "\(folder("set/old_train_val.bin")): the name contains both train and val; rename it to one of them"
        )
        try write([3, 4], width: 2, to: "train.bin")
        try write([5, 6], width: 2, to: "val.bin")
        #expect(try all(open().train) == [3, 4])
    }

    @Test("the fingerprint depends on which split a shard belongs to")
    func fingerprint() throws {
        try writeShard([1], to: "train_0.bin")
        try writeShard([2], to: "train_1.bin")
        try writeShard([3], to: "val_0.bin")
        let first = try open().fingerprint
        try FileSystem.rename(folder("set/train_1.bin"), to: folder("set/val_.bin"))
        #expect(try open().fingerprint != first)
    }

    @Test("a dataset with dataset.json can have several files per split, with 16 or 32 bits per id", arguments: [2, 4])
    func described(width: Int) throws {
        _ = try DataPreparation.run(
            PreparationRequest(source: .demo(seed: 1, characters: 5000), name: "demo", dataFolder: folder.path)
        )
        try FileSystem.remove(folder("set"))
        try FileSystem.rename(folder("demo"), to: folder("set"))
        let whole = try open()
        let ids = try all(whole.train).map { UInt32($0) }
        let path = folder("set/dataset.json")
        var description = try DatasetDescription(path: path)
        description.elementType = width == 2 ? "uint16" : "uint32"
        description.train = []
        for (index, range) in [0..<1, 1..<2000, 2000..<ids.count].enumerated() {
            let name = "train_00000\(index).bin"
            try write(Array(ids[range]), width: width, to: name)
            description.train.append(.init(name: name, tokens: range.count, sha256: "\(index)"))
        }
        try write(all(whole.validation).map { UInt32($0) }, width: width, to: "val.bin")
        try AtomicFile.write(description.text, to: path)
        let dataset = try open()
        #expect(try all(dataset.train) == all(whole.train))
        #expect(try all(dataset.validation) == all(whole.validation))
        #expect(dataset.train.byteCount == width * ids.count)

        try write(Array(ids[1..<1999]), width: width, to: "train_000001.bin")
        let error = try #require(throws: UserError.self) { try open() }
        #expect(error.message.contains("dataset.json says 1999 tokens of \(width) bytes"))
        description.elementType = "int64"
        try AtomicFile.write(description.text, to: path)
        let type = try #require(throws: UserError.self) { try open() }
        #expect(type.message == "\(folder("set")) has tokens of type int64, but only uint16 and uint32 are supported")
    }
}
