import Formats
import Foundation
import Platform
import TestSupport
import Testing

@Suite("Pickle")
struct PickleTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func write(base64: String) throws -> String {
        let path = folder("meta.pkl")
        try AtomicFile.write([UInt8](try #require(Data(base64Encoded: base64))), to: path)
        return path
    }

    /// Made in Python 3.11 from `chars = sorted("héab\n")` by
    /// `pickle.dumps({'vocab_size': 5, 'itos': dict(enumerate(chars)), 'stoi': {c: i for i, c in enumerate(chars)}}, protocol)`.
    static let nanoGPTMeta = [
        """
        gAJ9cQAoWAoAAAB2b2NhYl9zaXplcQFLBVgEAAAAaXRvc3ECfXEDKEsAWAEAAAAKcQRLAVgBAAAAYXEFSwJYAQAAAGJxBksDWAEAAABocQdL\
        BFgCAAAAw6lxCHVYBAAAAHN0b2lxCX1xCihoBEsAaAVLAWgGSwJoB0sDaAhLBHV1Lg==
        """,
        """
        gASVXQAAAAAAAAB9lCiMCnZvY2FiX3NpemWUSwWMBGl0b3OUfZQoSwCMAQqUSwGMAWGUSwKMAWKUSwOMAWiUSwSMAsOplHWMBHN0b2mUfZQo\
        aARLAGgFSwFoBksCaAdLA2gISwR1dS4=
        """,
    ]

    @Test("nanoGPT's meta.pkl is read, in the protocols 2 and 4", arguments: nanoGPTMeta)
    func meta(base64: String) throws {
        let value = try PickleReader.read(path: try write(base64: base64))
        let characters = ["\n", "a", "b", "h", "é"]
        #expect(value["vocab_size"] == .integer(5))
        #expect(
            value["itos"]
                == .dictionary(
                    characters.enumerated().map { .init(key: .integer($0.offset), value: .string($0.element)) }
                )
        )
        #expect(
            value["stoi"]
                == .dictionary(
                    characters.enumerated().map { .init(key: .string($0.element), value: .integer($0.offset)) }
                )
        )
    }

    /// `pickle.dumps([None, True, -5, 2**40, -2**33, 1.5, b'xy', (1, 2, 3, 4), (), [1], {}], 4)`
    @Test("every kind of plain data is read")
    func plainData() throws {
        let path = try write(
            base64: "gASVPAAAAAAAAABdlChOiEr7////igYAAAAAAAGKBQAAAAD+Rz/4AAAAAAAAQwJ4eZQoSwFLAksDSwR0lCldlEsBYX2UZS4="
        )
        let expected: [PickleValue] = [
            .none, .bool(true), .integer(-5), .integer(1 << 40), .integer(-(1 << 33)), .number(1.5),
            .bytes([0x78, 0x79]), .tuple([.integer(1), .integer(2), .integer(3), .integer(4)]), .tuple([]),
            .list([.integer(1)]), .dictionary([]),
        ]
        #expect(try PickleReader.read(path: path) == .list(expected))
    }

    @Test(
        "a pickle that would run code, refers to a list twice or is no pickle is refused with the reason",
        arguments: [
            // An object whose __reduce__ is (os.system, ('echo hi',)).
            ("gASVIgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAdlY2hvIGhplIWUUpQu", "it names or calls Python objects"),
            // a = [1]; (a, a)
            ("gASVCgAAAAAAAABdlEsBYWgAhpQu", "a list or dictionary in two places"),
            ("gARdLg==", ""), ("aGVsbG8=", "a reference to nothing"), ("gAQu", "it does not end with one value"),
            ("gARdSwE=", "it was cut short"), ("gAldLg==", "protocol 9"), ("gASGLg==", "a value is missing"),
            ("gAR1Lg==", "a mark is missing"), ("gARLAUsBYS4=", "elements without a list"),
            ("gAT/Lg==", "the opcode 0xff"),
            // A tuple within a tuple, 70 times.
            ("gAQp" + String(repeating: "hYWF", count: 23) + "hS4=", "more than 64 levels"),
        ]
    )
    func refused(base64: String, reason: String) throws {
        let path = try write(base64: base64)
        guard !reason.isEmpty else {
            #expect(try PickleReader.read(path: path) == .list([]))
            return
        }
        let error = try #require(throws: UserError.self) { try PickleReader.read(path: path) }
        #expect(error.kind == .data)
        #expect(error.message.contains("cannot read \(path) as a pickle: \(reason)"), "\(error.message)")
    }

    @Test("a pickle cut short at any byte is an error, never a crash", arguments: nanoGPTMeta)
    func cutShort(base64: String) throws {
        let whole = [UInt8](try #require(Data(base64Encoded: base64)))
        for length in 0..<whole.count {
            try whole[..<length].withUnsafeBytes { try AtomicFile.write($0, to: folder("cut")) }
            #expect(throws: UserError.self, "\(length) bytes") { try PickleReader.read(path: folder("cut")) }
        }
    }
}
