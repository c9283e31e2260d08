import Compute
import Formats
import Platform
import TestSupport
import Testing

@testable import Datasets

@Suite("Check of all ids before training")
struct TokenCheckTests {
    let folder: TemporaryFolder
    let pool = WorkerPool(threadCount: 2)

    init() throws {
        folder = try TemporaryFolder()
        try FileSystem.createFolder(folder("set"))
        try write([UInt16](repeating: 7, count: 9), to: "a_train_0.bin")
        try write([UInt16](repeating: 300, count: 200_000), to: "a_train_1.bin")
        try write([5, 6, 7], to: "a_val.bin")
    }

    private func write(_ ids: [UInt16], to name: String) throws {
        try ids.map(\.littleEndian).withUnsafeBytes { try AtomicFile.write($0, to: folder("set/" + name)) }
    }

    private func open() throws -> Dataset { try Dataset.open(folder: folder.path, name: "set") }

    private func check(_ dataset: Dataset? = nil, remembering bytes: Int = 1) throws -> Int {
        try TokenCheck(dataset ?? open(), pool: pool, smallestRemembered: bytes).readBytes
    }

    @Test(
        "an id beyond the vocabulary is reported with its file and position",
        arguments: [0, 131_073, 199_999]
    )
    func found(position: Int) throws {
        var ids = [UInt16](repeating: 7, count: 200_000)
        ids[position] = 50304
        try write(ids, to: "a_train_1.bin")
        let expected = UserError(
            .data,
            """
            \(folder("set/a_train_1.bin")): token \(position) has the id 50304, beyond the vocabulary of 50304: \
            GPT-2's is assumed, as there is no meta.pkl; write one with vocab_size, or prepare the dataset again
            """
        )
        #expect(throws: expected) { try check() }
        // The second check uses checked.json.
        #expect(throws: expected) { try check() }
    }

    @Test("files are not read again, for any vocabulary, until they change")
    func remembered() throws {
        let total = 2 * (9 + 200_000 + 3)
        #expect(try check() == total)
        #expect(FileSystem.kind(of: folder("set/checked.json")) == .file)
        #expect(try check() == 0)
        let limited = try open().limited(toVocabulary: 300)
        let error = try #require(throws: UserError.self) { try check(limited) }
        #expect(error.message.contains("a_train_1.bin: token 0 has the id 300, beyond the model's vocabulary of 300"))
        #expect(try check(open().limited(toVocabulary: 301)) == 0)
        // The file changes but keeps its size.
        try write([5, 6, 9], to: "a_val.bin")
        #expect(try check() == 6)
        #expect(try check() == 0)
        try AtomicFile.write("no JSON", to: folder("set/checked.json"))
        #expect(try check() == total)
    }

    @Test("no checked.json is written for a small dataset")
    func small() throws {
        #expect(try check(remembering: 1 << 20) == 400_024)
        #expect(try FileSystem.names(inFolder: folder("set")) == ["a_train_0.bin", "a_train_1.bin", "a_val.bin"])
    }

    @Test("progress rises to 1")
    func progress() throws {
        var shares: [Double] = []
        _ = try TokenCheck(open(), pool: pool) { shares.append($0) }
        #expect(shares == shares.sorted() && shares.count == 3 && shares.last == 1)
    }
}
