import Compute
import Foundation
import Platform
import TestSupport
import Testing

@testable import Datasets

/// Token files of other integer types than uint16, and files that `numpy.save` writes.
@Suite("Types of token files")
struct TokenTypeTests {
    private static let cases = Fixtures.path("cases/models/data")
    let folder: TemporaryFolder
    /// The tokens of `good`.
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

    // MARK: - Writing

    private func bytes<Element: FixedWidthInteger>(_ ids: [Int], _: Element.Type, bigEndian: Bool = false) -> [UInt8] {
        ids.flatMap { id in
            let element = Element(truncatingIfNeeded: id)
            return withUnsafeBytes(of: bigEndian ? element.bigEndian : element.littleEndian) { Array($0) }
        }
    }

    private func bytes(_ ids: [Int], named type: String) -> [UInt8] {
        switch type {
        case "uint8", "int8": bytes(ids, UInt8.self)
        case "uint16", "int16": bytes(ids, UInt16.self)
        case "uint32", "int32": bytes(ids, UInt32.self)
        case "uint64", "int64": bytes(ids, UInt64.self)
        case "big-endian uint16": bytes(ids, UInt16.self, bigEndian: true)
        case "big-endian uint32": bytes(ids, UInt32.self, bigEndian: true)
        case "big-endian uint64": bytes(ids, UInt64.self, bigEndian: true)
        case "float32": bytes(ids.map { Int(Float($0).bitPattern) }, UInt32.self)
        case "float64": bytes(ids.map { Int(truncatingIfNeeded: Double($0).bitPattern) }, UInt64.self)
        default: fatalError("no type \(type)")
        }
    }

    /// As numpy.save writes it.
    private func npy(_ data: [UInt8], _ header: String, version: UInt8 = 1) -> [UInt8] {
        let start = version == 1 ? 10 : 12
        let padding = 63 - (start + header.utf8.count) % 64
        let text = Array(header.utf8) + Array(repeating: UInt8(ascii: " "), count: padding) + [UInt8(ascii: "\n")]
        let length = (0..<(start - 8)).map { UInt8(text.count >> (8 * $0) & 0xFF) }
        return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + data
    }

    private func npy(_ data: [UInt8], type: String, count: Int, version: UInt8 = 1) -> [UInt8] {
        npy(data, "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(count),), }", version: version)
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        try AtomicFile.write(bytes, to: folder("set/" + name))
    }

    /// A pickle of {'vocab_size': size}.
    private func writeMeta(_ size: Int32) throws {
        let number = withUnsafeBytes(of: size.littleEndian) { Array($0) }
        try write(
            [0x80, 2, 0x7D, 0x58, 10, 0, 0, 0] + Array("vocab_size".utf8) + [0x4A] + number + [0x73, 0x2E],
            "meta.pkl"
        )
    }

    private func open() throws -> Dataset { try Dataset.open(folder: folder.path, name: "set") }

    private func all(_ sequence: TokenSequence) throws -> [Int] {
        var tokens = [Int32](repeating: -1, count: sequence.count)
        try tokens.withUnsafeMutableBufferPointer {
            try sequence.copy(from: 0, count: $0.count, into: $0.baseAddress!)
        }
        return tokens.map { Int($0) }
    }

    private func expectSameTokens(_ dataset: Dataset, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try all(dataset.train) == train, sourceLocation: sourceLocation)
        #expect(try all(dataset.validation) == validation, sourceLocation: sourceLocation)
        try TokenCheck(dataset, pool: WorkerPool(threadCount: 1))
    }

    private func expectRefusal(_ parts: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
        let error = #expect(throws: UserError.self, sourceLocation: sourceLocation) {
            try TokenCheck(try open(), pool: WorkerPool(threadCount: 1))
        }
        #expect(error?.kind == .data, sourceLocation: sourceLocation)
        for part in parts {
            #expect(error?.message.contains(part) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation)
        }
    }

    // MARK: - Without a header

    @Test("the same tokens are read from every form of the cases, with a notice where the name does not say it")
    func cases() throws {
        for (name, notice) in [
            ("good", nil), ("npy-shards", nil),
            (
                "as-uint32",
                "as-uint32: the token files are read as uint32, as in every 32 bits only the lower 16 are used"
            ),
            ("npy", "npy/train.bin and 1 more are NPY files, and read as such"),
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
                "\(folder("set")): the token files are read as uint\(bits), as in every \(bits) bits only the lower 16 are used"
            ]
        )
    }

    @Test("a short validation file follows the training file; shards are judged together")
    func shortWide() throws {
        try write(bytes(Array(train[..<1000]), named: "uint32"), "a_train_0.bin")
        try write(bytes(Array(train[1000...]), named: "uint32"), "a_train_1.bin")
        try write(bytes([3, 4, 5], named: "uint32"), "a_val_0.bin")
        let dataset = try open()
        #expect(try all(dataset.train) == train && all(dataset.validation) == [3, 4, 5])
    }

    @Test("uint16 files are read as ever, whatever their values")
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
        "where every second value is 0 and no other one, and the vocabulary is not GPT-2's, both readings are possible"
    )
    func ambiguous() throws {
        let ids = train.map { $0 + 1 }
        for type in ["uint32", "uint64"] {
            try write(bytes(ids, named: type), "train.bin")
            try write(bytes(validation, named: type), "val.bin")
            try writeMeta(13)
            try expectRefusal("train.bin: every second 16-bit value is 0, and no other one", "numpy.save")
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
        try expectRefusal("mixes token files of different types: in \(folder("set/\(wide)")) every second")
    }

    @Test(
        "big-endian and floating-point ids are refused by name, with and without meta.pkl",
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
        "ids beyond the vocabulary come with what the file looks like",
        arguments: [
            "uint32", "uint64", "big-endian uint16", "big-endian uint32", "big-endian uint64", "float32", "float64",
        ]
    )
    func likelyMistakes(type: String) throws {
        // Ids of a text of GPT-2, and of a larger vocabulary where the type holds them.
        let ids = (0..<4000).map { ($0 * 7919 + $0 * $0) % (type.hasSuffix("uint16") ? 50257 : 100_277) }
        try write(bytes(ids, named: type), "train.bin")
        try write(bytes(Array(ids[..<100]), named: type), "val.bin")
        let isFloat = type.hasPrefix("float")
        try expectRefusal(isFloat ? "floating point; write them as little-endian" : "looks like \(type);", "write")
    }

    @Test("a vocabulary of more than 65536 tokens is read as 32 bits or 64, and nothing else fits it")
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
                    "\(folder("set")): the token files are read as \(read), as vocab_size 100277 in meta.pkl does not fit 16 bits"
                ]
            )
        }
        try write(bytes(ids.map { $0 % 65_536 }, named: "uint16"), "train.bin")
        try write(bytes([5, 6], named: "uint16"), "val.bin")
        try expectRefusal("beyond the vocabulary of 100277")
    }

    // MARK: - NPY

    @Test(
        "every little-endian integer type and every version of NPY is read",
        arguments: [
            ("|u1", "uint8"), ("|i1", "int8"), ("<u2", "uint16"), ("<i2", "int16"), ("<u4", "uint32"), ("<i4", "int32"),
            ("<u8", "uint64"), ("<i8", "int64"),
        ],
        [UInt8(1), 2, 3]
    )
    func numPy(type: (descriptor: String, name: String), version: UInt8) throws {
        try write(
            npy(bytes(train, named: type.name), type: type.descriptor, count: train.count, version: version),
            "train.bin"
        )
        try write(bytes(validation, named: "uint16"), "val.bin")
        try writeMeta(12)
        let dataset = try open()
        try expectSameTokens(dataset)
        #expect(dataset.notices == ["\(folder("set/train.bin")) is an NPY file of \(type.name), and read as one"])
    }

    @Test(
        "a header may be written otherwise: other order, quotes, spaces and Python 2's numbers",
        arguments: [
            #"{"shape": (2000L,), "descr": "<u2", "fortran_order": True}"#,
            "{'fortran_order':False,'shape':(2000,),'descr':'<u2'}",
            "{ 'descr' : '<u2' , 'fortran_order' : False , 'shape' : ( 2000 , ) , }",
        ]
    )
    func headers(header: String) throws {
        try write(npy(bytes(train, named: "uint16"), header), "train.npy")
        try write(npy(bytes(validation, named: "uint16"), type: "<u2", count: validation.count), "val.npy")
        let dataset = try open()
        try expectSameTokens(dataset)
        #expect(dataset.notices.isEmpty)
    }

    @Test(
        "what is no sequence of ids is refused with the reason",
        arguments: [
            ("{'descr': '>u2', 'fortran_order': False, 'shape': (2000,), }", "of big-endian numbers (>u2)"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2000,), }", "of elements that are no token ids (<f4)"),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (2000,), }", "of elements that are no token ids (|O)"),
            ("{'descr': '|b1', 'fortran_order': False, 'shape': (4000,), }", "of elements that are no token ids (|b1)"),
            ("{'descr': '<u2', 'fortran_order': False, 'shape': (100, 20), }", "of the shape (100, 20)"),
            ("{'descr': '<u2', 'fortran_order': True, 'shape': (2000, 1), }", "of the shape (2000, 1)"),
            ("{'descr': '<u2', 'fortran_order': False, 'shape': (), }", "of the shape ()"),
            (
                "{'descr': '<u2', 'fortran_order': False, 'shape': (2001,), }",
                "of 2001 ids of 2 bytes, but has 4000 bytes"
            ),
            (
                "{'descr': '<u2', 'fortran_order': False, 'shape': (1999,), }",
                "of 1999 ids of 2 bytes, but has 4000 bytes"
            ),
            (
                "{'descr': '<u8', 'fortran_order': False, 'shape': (9223372036854775807,), }",
                "of 9223372036854775807 ids"
            ),
            (
                "{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,), }",
                "its shape has the size 999"
            ),
            ("{'descr': [('id', '<u2')], 'fortran_order': False, 'shape': (2000,), }", "an NPY file of records"),
            ("{'fortran_order': False, 'shape': (2000,), }", "it has no descr or no shape"),
            ("", "it has no descr or no shape"),
        ]
    )
    func refusedNumPy(header: String, reason: String) throws {
        try write(npy(bytes(train, named: "uint16"), header), "train.bin")
        try write(bytes(validation, named: "uint16"), "val.bin")
        try expectRefusal(folder("set/train.bin"), reason)
    }

    @Test("a negative id is refused, and shown as it is")
    func negative() throws {
        for (type, name) in [("<i2", "int16"), ("<i4", "int32"), ("<i8", "int64")] {
            var ids = train
            ids[7] = -5
            try write(npy(bytes(ids, named: name), type: type, count: ids.count), "train.bin")
            try write(bytes(validation, named: "uint16"), "val.bin")
            try expectRefusal("train.bin: token 7 has the id -5, beyond the vocabulary of 50304")
        }
    }

    @Test("an NPY file that is cut at any place, or whose header lies, is refused and never read beyond its end")
    func cutNumPy() throws {
        try write(bytes(validation, named: "uint16"), "val.bin")
        let whole = npy(bytes(Array(train[..<40]), named: "uint32"), type: "<u4", count: 40)
        for count in 8..<whole.count {
            try write(Array(whole[..<count]), "train.bin")
            try expectRefusal("train.bin")
        }
        for version: UInt8 in [0, 4, 255] {
            var other = whole
            other[6] = version
            try write(other, "train.bin")
            try expectRefusal("is an NPY file of version \(version); this program reads versions 1 to 3")
        }
        // Ids that begin at an odd place.
        let text = Array("{'descr': '<u4', 'fortran_order': False, 'shape': (40,), } ".utf8)
        let odd = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.count), 0] + text
        try write(odd + bytes(Array(train[..<40]), named: "uint32"), "train.bin")
        try expectRefusal("whose ids begin at byte \(odd.count)")
    }

    // MARK: - Names

    @Test("shards of build-nanogpt's names are a dataset, and a path to them says so")
    func shards() throws {
        let dataset = try Dataset.open(folder: Self.cases, name: "npy-shards")
        #expect(dataset.train.source.hasSuffix("edufineweb_train_000001.npy"))
        let error = #expect(throws: UserError.self) {
            try Dataset.open(folder: "data", name: Self.cases + "/npy-shards")
        }
        #expect(error?.message.contains("--dataset=npy-shards") == true)
    }

    @Test("nothing is read twice or left out in silence")
    func names() throws {
        let npy = npy(bytes(train, named: "uint16"), type: "<u2", count: train.count)
        try write(bytes(train, named: "uint16"), "train.bin")
        try write(bytes(validation, named: "uint16"), "val.bin")
        try write(bytes(train, named: "uint16"), "train_more.bin")
        #expect(
            try open().notices == ["\(folder("set")): the split train is train.bin; train_more.bin is not read"]
        )
        try write(npy, "train.npy")
        try expectRefusal("has .bin and .npy files of the split train, such as train.bin")
        try FileSystem.remove(folder("set/train.bin"))
        #expect(
            try open().notices == ["\(folder("set")): the split train is train.npy; train_more.bin is not read"]
        )
        try write(bytes(train, named: "uint16"), "train.npy")
        try expectRefusal("train.npy is no NPY file")
    }

    @Test("a missing or empty validation split is none, and an empty shard is damage")
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
                == "\(folder("set/val.bin")) has one token, and a loss takes two"
        )
        try FileSystem.remove(folder("set/val.bin"))
        try write([], "a_val_0.bin")
        try write(bytes(validation, named: "uint16"), "a_val_1.bin")
        try expectRefusal("a_val_0.bin is empty")
        try write([], "train.bin")
        try expectRefusal("train.bin is empty")
    }
}
