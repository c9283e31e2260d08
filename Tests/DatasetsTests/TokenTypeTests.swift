import Compute
import Foundation
import Platform
import TestSupport
import Testing

@testable import Datasets

/// Tests of token files with integer types other than uint16.
@Suite("Types of token files")
struct TokenTypeTests {
    static let cases = Fixtures.path("cases/models/data")
    let folder: TemporaryFolder
    /// The tokens of the dataset `good` in the fixtures.
    let train: [Int]
    let validation: [Int]

    init() throws {
        folder = try TemporaryFolder()
        try FileSystem.createFolder(folder("set"))
        func ids(_ name: String) throws -> [Int] {
            let bytes = try FileSystem.read(Self.cases + "/good/" + name)
            return stride(from: 0, to: bytes.count, by: 2).map { Int(bytes[$0]) | Int(bytes[$0 + 1]) << 8 }
        }
        (train, validation) = (try ids("train.bin"), try ids("val.bin"))
    }

    // MARK: - Without a header

    @Test("the same tokens are read from every form, with a notice if the file name does not show the form")
    func cases() throws {
        for (name, notice) in [
            ("good", nil), ("npy-shards", nil),
            (
                "as-uint32",
                "as-uint32: the token files are read as uint32, because only the lower 16 of every 32 bits are used"
            ),
            ("npy", "npy/train.bin and 1 more are NPY files and are read as such"),
        ] {
            let dataset = try Dataset.open(folder: Self.cases, name: name)
            #expect(
                dataset.notices.first?.hasSuffix(notice ?? "-") == (notice == nil ? nil : true),
                "\(dataset.notices)"
            )
            #expect(try all(dataset.train) == train && all(dataset.validation) == validation, "\(name)")
            #expect(dataset.vocabularySize == (name == "npy-shards" ? 50304 : 12))
        }
    }

    @Test(
        "raw ids of 32 and 64 bits are recognized, with and without meta.pkl",
        arguments: ["uint32", "int32", "uint64", "int64"],
        [true, false]
    )
    func wide(type: String, hasMeta: Bool) throws {
        try write(bytes(train, named: type), "train.bin")
        try write(bytes(validation, named: type), "val.bin")
        if hasMeta { try writeMeta(12) }
        let dataset = try open()
        try expectSameTokens(dataset)
        let bits = type.suffix(2)
        #expect(
            dataset.notices == [
                "\(folder("set")): the token files are read as uint\(bits), because only the lower 16 of every \(bits) bits are used"
            ]
        )
    }

    @Test("a short validation file is read with the type of the training files, whose shards are examined together")
    func shortWide() throws {
        try write(bytes(Array(train[..<1000]), named: "uint32"), "a_train_0.bin")
        try write(bytes(Array(train[1000...]), named: "uint32"), "a_train_1.bin")
        try write(bytes([3, 4, 5], named: "uint32"), "a_val_0.bin")
        let dataset = try open()
        #expect(try all(dataset.train) == train && all(dataset.validation) == [3, 4, 5])
    }

    @Test("uint16 files are read as uint16, whatever their values")
    func narrow() throws {
        func repeated(_ ids: [Int], then rest: [Int] = []) -> [Int] { (0..<40).flatMap { _ in ids } + rest }
        let rows: [[Int]] = [
            train, repeated([0]), [5, 0, 5, 0], repeated([3, 0, 0, 2]), repeated([0, 7, 0, 9]), repeated([257, 513]),
            repeated([1, 0], then: [2, 3]), repeated([1, 0, 0, 0], then: [0, 0, 0, 4]),
        ]
        for ids in rows {
            try write(bytes(ids, named: "uint16"), "train.bin")
            try write(bytes(ids, named: "uint16"), "val.bin")
            for hasMeta in [true, false] {
                try FileSystem.remove(folder("set/meta.pkl"))
                if hasMeta { try writeMeta(12_000) }
                let dataset = try open()
                #expect(try all(dataset.train) == ids && dataset.notices.isEmpty)
            }
        }
    }

    @Test(
        "the type is ambiguous if exactly every second value is 0 and the vocabulary is not GPT-2's"
    )
    func ambiguous() throws {
        let ids = train.map { $0 + 1 }
        for type in ["uint32", "uint64"] {
            try write(bytes(ids, named: type), "train.bin")
            try write(bytes(validation, named: type), "val.bin")
            try writeMeta(13)
            try expectRefusal("train.bin: every second 16-bit value is 0 and no other", "numpy.save")
            try FileSystem.remove(folder("set/meta.pkl"))
            #expect(try all(open().train) == ids)
        }
    }

    @Test("files of different types in one folder are refused", arguments: ["uint16", "uint32"])
    func mixed(type: String) throws {
        try write(bytes(train, named: type), "train.bin")
        try write(bytes(validation, named: type == "uint16" ? "uint32" : "uint16"), "val.bin")
        try writeMeta(12)
        let wide = type == "uint16" ? "val.bin" : "train.bin"
        try expectRefusal(
            "mixes token files of different types: every second 16-bit value is 0 in \(folder("set/\(wide)"))"
        )
    }

    @Test(
        "big-endian and floating-point ids are refused with their type, with and without meta.pkl",
        arguments: [
            ("big-endian uint16", "big-endian"), ("big-endian uint32", "big-endian"),
            ("big-endian uint64", "big-endian"),
            ("float32", "floating point"), ("float64", "floating point"),
        ],
        [true, false]
    )
    func otherNumbers(type: (written: String, named: String), hasMeta: Bool) throws {
        try write(bytes(train, named: type.written), "train.bin")
        try write(bytes(validation, named: type.written), "val.bin")
        if hasMeta { try writeMeta(12) }
        try expectRefusal("train.bin: ", "so its ids are \(type.named); write them as little-endian integers")
    }

    @Test(
        "the error for ids beyond the vocabulary says what type the file looks like",
        arguments: [
            "uint32", "uint64", "big-endian uint16", "big-endian uint32", "big-endian uint64", "float32", "float64",
        ]
    )
    func likelyMistakes(type: String) throws {
        // Ids of GPT-2's vocabulary for 16-bit types, and of a larger vocabulary for wider types.
        let ids = (0..<4000).map { ($0 * 7919 + $0 * $0) % (type.hasSuffix("uint16") ? 50257 : 100_277) }
        try write(bytes(ids, named: type), "train.bin")
        try write(bytes(Array(ids[..<100]), named: type), "val.bin")
        let isFloat = type.hasPrefix("float")
        try expectRefusal(isFloat ? "floating point; write them as little-endian" : "looks like \(type);", "write")
    }

    @Test("ids of one byte are refused with their type, for even and odd numbers of ids")
    func bytesAsIDs() throws {
        try write(bytes(train, named: "uint8"), "train.bin")
        try write(bytes(validation, named: "uint16"), "val.bin")
        try writeMeta(12)
        try expectRefusal("looks like uint8;", "numpy.save")
        try write(bytes(Array(train.dropLast()), named: "uint8"), "train.bin")
        try expectRefusal("is not a whole number of tokens of 2 bytes", "or has ids of another type")
    }

    @Test("ids of a vocabulary of more than 65536 tokens are read with 32 or 64 bits, and others are refused")
    func largeVocabulary() throws {
        let ids = (0..<4000).map { $0 * 7919 % 100_277 }
        try writeMeta(100_277)
        for type in ["uint32", "int64"] {
            try write(bytes(ids, named: type), "train.bin")
            try write(bytes([70_000, 5], named: type), "val.bin")
            let dataset = try open()
            #expect(try all(dataset.train) == ids && all(dataset.validation) == [70_000, 5])
            let read = type == "uint32" ? "uint32" : "uint64"
            #expect(
                dataset.notices == [
                    "\(folder("set")): the token files are read as \(read), because vocab_size 100277 in meta.pkl does not fit 16 bits"
                ]
            )
        }
        try write(bytes(ids.map { $0 % 65_536 }, named: "uint16"), "train.bin")
        try write(bytes([5, 6], named: "uint16"), "val.bin")
        try expectRefusal("beyond the vocabulary of 100277")
    }

    // MARK: - Names

    @Test("shards with build-nanogpt's names are a dataset, and their path given as a name is refused with the options")
    func shards() throws {
        let dataset = try Dataset.open(folder: Self.cases, name: "npy-shards")
        #expect(dataset.train.source.hasSuffix("edufineweb_train_000001.npy"))
        let error = #expect(throws: UserError.self) {
            try Dataset.open(folder: "data", name: Self.cases + "/npy-shards")
        }
        #expect(error?.message.contains("--dataset=npy-shards") == true)
    }

    @Test("files that are not read give a notice, and files that may hold the same tokens are refused")
    func names() throws {
        let npy = npy(bytes(train, named: "uint16"), type: "<u2", count: train.count)
        try write(bytes(train, named: "uint16"), "train.bin")
        try write(bytes(validation, named: "uint16"), "val.bin")
        try write(bytes(train, named: "uint16"), "train_more.bin")
        #expect(
            try open().notices == ["\(folder("set")): the split train is train.bin; train_more.bin is not read"]
        )
        try write(npy, "train.npy")
        try expectRefusal("has both .bin and .npy files of the split train, such as train.bin")
        try FileSystem.remove(folder("set/train.bin"))
        #expect(
            try open().notices == ["\(folder("set")): the split train is train.npy; train_more.bin is not read"]
        )
        try write(bytes(train, named: "uint16"), "train.npy")
        try expectRefusal("train.npy is not an NPY file")
    }

    @Test("a missing or empty validation split is accepted, and an empty shard is refused")
    func noValidation() throws {
        try write(bytes(train, named: "uint16"), "train.bin")
        #expect(try open().validation.count == 0)
        #expect(try open().nothingToScore(in: .validation) == "\(folder("set")) has no file for the split val")
        try write([], "val.bin")
        let empty = try open()
        #expect(empty.nothingToScore(in: .validation) == "\(folder("set/val.bin")) has no tokens")
        #expect(empty.nothingToScore(in: .train) == nil && empty.notices.isEmpty)
        try TokenCheck(empty, pool: WorkerPool(threadCount: 1))
        try write(npy([], type: "<u2", count: 0), "val.bin")
        #expect(try open().validation.targetCount == 0)
        try write(bytes([5], named: "uint16"), "val.bin")
        #expect(
            try open().nothingToScore(in: .validation)
                == "\(folder("set/val.bin")) has one token, but a loss needs two"
        )
        try FileSystem.remove(folder("set/val.bin"))
        try write([], "a_val_0.bin")
        try write(bytes(validation, named: "uint16"), "a_val_1.bin")
        try expectRefusal("a_val_0.bin is empty")
        try write([], "train.bin")
        try expectRefusal("train.bin is empty")
    }
}
