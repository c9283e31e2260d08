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

    /// Python 3.11 made these from `chars = sorted("héab\n")` with
    /// `pickle.dumps({'vocab_size': 5, 'itos': dict(enumerate(chars)), 'stoi': {c: i for i, c in enumerate(chars)}},
    /// protocol)`.
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

    @Test("nanoGPT's meta.pkl can be read in protocols 2 and 4", arguments: nanoGPTMeta)
    func meta(base64: String) throws {
        let value = try PickleReader.read(path: try write(base64: base64))
        let table = #"{0: "\n", 1: "a", 2: "b", 3: "h", 4: "é"}"#
        #expect(value["vocab_size"]?.integerValue == 5)
        #expect(value["itos"].map { text($0) } == table)
        #expect(value["stoi"]?.pairs?.map { $0.value.integerValue } == [0, 1, 2, 3, 4])
    }

    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/pickles").path

    /// Returns a value with its content on one line. Lists and tuples look the same.
    private func text(_ value: PickleValue, levels: Int = 8) -> String {
        guard levels > 0 else { return "…" }
        if let elements = value.elements {
            return "[" + elements.map { text($0, levels: levels - 1) }.joined(separator: ", ") + "]"
        }
        if value.className == nil, let pairs = value.pairs {
            let entries = pairs.map { "\($0.key): \(text($0.value, levels: levels - 1))" }
            return "{" + entries.joined(separator: ", ") + "}"
        }
        return value.bytesValue.map { "bytes \($0)" } ?? value.description
    }

    @Test("every kind of plain data can be read in every protocol", arguments: 0...5)
    func plainData(version: Int) throws {
        let expected = """
            [None, True, False, 0, -5, 255, 65535, -2147483648, 1099511627776, -9223372036854775808, \
            an integer of more than 64 bits, 1.5, -inf, "é漢😀\\n\\'\\"\\\\", "", bytes [120, 121, 255], \
            [], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [], [1], {"a": {"b": [1]}}, {"x": 1, "y": 2}, \
            -7, 65000, 0.5, 1.5, True, "né", 5]
            """
        #expect(text(try PickleReader.read(path: "\(Self.fixtures)/plain-\(version).pkl")) == expected)
    }

    @Test(
        "Python objects are not created in any protocol, but their class names and attributes can be read",
        arguments: 0...5
    )
    func objects(version: Int) throws {
        let value = try PickleReader.read(path: "\(Self.fixtures)/objects-\(version).pkl")
        let configs = try #require(value["configs"]?.pairs)
        #expect(configs.count == (version < 2 ? 5 : 7))
        for (name, config) in configs { #expect(config["n_head"]?.integerValue == 4, "\(name): \(config)") }
        #expect(value["configs"]?["dataclass"]?.className == "__main__.Config")
        #expect(value["configs"]?["namespace"]?.description == "an object of argparse.Namespace")
        let others = try #require(value["others"]?.pairs)
        #expect(others.count == 21)
        for (name, other) in others {
            #expect(other.integerValue == nil && other.numberValue == nil && other.stringValue == nil, "\(name)")
        }
        #expect(value["others"]?["path"]?.className == "pathlib.PurePosixPath")
        #expect(value["others"]?["color"]?.className == "__main__.Color")
        #expect(value["others"]?["function"]?.description == "builtins.len")
        #expect(value["first"]?["k"]?.integerValue == 1 && value["second"]?["k"]?.integerValue == 1)
        #expect(value["itself"].map { text($0, levels: 3) } == "[[[…]]]")
    }

    @Test(
        "opcodes that programs no longer write can be read",
        arguments: [
            // (MARK, class, argument, OBJ); INST; a persistent id; an extension code; a buffer stored outside the file.
            ("(cdatetime\ndate\nI2\no.", "an object of datetime.date"),
            ("(I2\nidatetime\ndate\n.", "an object of datetime.date"),
            ("Pthat one\n.", "a value that only the program that wrote the file can read"),
            ("\u{82}\u{1}.", "a value that only the program that wrote the file can read"),
            ("\u{97}\u{98}.", "a value that only the program that wrote the file can read"),
            ("(I1\nI2\n0t.", "[1]"), ("I7\n(I1\nI2\n1.", "7"), ("I7\n(0.", "7"), ("](I1\n2e.", "[1, 1]"),
            ("S'a\\x41\\n\\'\\q'\n.", "\"aA\\n\\'\\\\q\""), ("U\u{2}ab.", "\"ab\""), ("T\u{2}\0\0\0ab.", "\"ab\""),
            ("\u{8B}\u{2}\0\0\0\u{FF}\u{FF}.", "-1"), ("L-5L\n.", "-5"), ("F1e400\n.", "inf"),
            // A number of 9 bytes that fits in 8, and one that does not fit because of its sign.
            ("\u{8A}\u{9}\u{5}\0\0\0\0\0\0\0\0.", "5"),
            ("\u{8A}\u{9}\u{5}\0\0\0\0\0\0\u{80}\0.", "an integer of more than 64 bits"),
            ("X\u{2}\0\0\0\u{C3}(.", "a string that is not Unicode"), ("Va\\ud800\n.", "a string that is not Unicode"),
        ]
    )
    func rareOpcodes(latin1: String, expected: String) throws {
        let path = folder("rare.pkl")
        try AtomicFile.write(latin1.unicodeScalars.map { UInt8($0.value) }, to: path)
        #expect(text(try PickleReader.read(path: path)) == expected)
    }

    @Test("nested lists need no deep stack, and a small file cannot make the reader use much memory")
    func limits() throws {
        try AtomicFile.write(Array((")" + String(repeating: "l", count: 50_000) + ".").utf8), to: folder("marks"))
        #expect(throws: UserError.self) { try PickleReader.read(path: folder("marks")) }
        let deep = [UInt8(ascii: ")")] + [UInt8](repeating: 0x85, count: 50_000) + [UInt8(ascii: ".")]
        try AtomicFile.write(deep, to: folder("deep"))
        #expect(try PickleReader.read(path: folder("deep")).elements?.first?.elements?.count == 1)
        // Calls that create an ordered dictionary from the same 1,000 pairs, 5,000 times.
        let pairs = "(" + String(repeating: "(I1\nI1\nt", count: 1000) + "lp0\n0"
        let call = "ccollections\nOrderedDict\n(g0\ntR0"
        try AtomicFile.write(Array((pairs + String(repeating: call, count: 5000) + "N.").utf8), to: folder("large"))
        let error = #expect(throws: UserError.self) { try PickleReader.read(path: folder("large")) }
        #expect(error?.message.contains("more than 8388608 values") == true, "\(String(describing: error))")
    }

    @Test("a pickle that would run a command yields an object named after it, and nothing runs")
    func command() throws {
        // An object whose __reduce__ returns (os.system, ('echo hi',)).
        let path = try write(base64: "gASVIgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAdlY2hvIGhplIWUUpQu")
        #expect(try PickleReader.read(path: path).description == "an object of posix.system")
    }

    @Test(
        "a file that is not a pickle is refused with the reason",
        arguments: [
            ("aGVsbG8=", "it refers to a memo entry that does not exist"),
            ("gAQu", "it does not end with exactly one value"),
            ("gARdSwE=", "it is truncated"), ("gAldLg==", "it uses protocol 9, but only 0 to 5 can be read"),
            ("gASGLg==", "a value is missing"),
            ("gAR1Lg==", "a mark is missing"),
            ("gARLAUsBYS4=", "an opcode adds values to something that is not a list"),
            ("gAT/Lg==", "0xff is not a pickle opcode"), ("gARdfWIu", "a value that has no attributes gets one"),
        ]
    )
    func refused(base64: String, reason: String) throws {
        let path = try write(base64: base64)
        let error = try #require(throws: UserError.self) { try PickleReader.read(path: path) }
        #expect(error.kind == .data)
        #expect(error.message.contains("cannot read \(path) as a pickle: \(reason)"), "\(error.message)")
    }

    @Test("a pickle that is truncated at any byte is refused and does not crash the reader", arguments: nanoGPTMeta)
    func cutShort(base64: String) throws {
        let whole = [UInt8](try #require(Data(base64Encoded: base64)))
        for length in 0..<whole.count {
            try whole[..<length].withUnsafeBytes { try AtomicFile.write($0, to: folder("cut")) }
            #expect(throws: UserError.self, "\(length) bytes") { try PickleReader.read(path: folder("cut")) }
        }
    }
}
