import Platform
import TestSupport
import Testing

@testable import Preparation

@Suite("Content recognition")
struct RecognizedContentTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func content(
        _ bytes: [UInt8],
        _ name: String = "a",
        _ format: CorpusFormat = CorpusFormat()
    ) throws -> RecognizedContent {
        try AtomicFile.write(bytes, to: folder(name))
        return try RecognizedContent(try FileStream(path: FilePath(folder(name))), format: format)
    }

    private func text(of stream: any ByteStream) throws -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1000)
        while case let count = try buffer.withUnsafeMutableBytes({ try stream.read(into: $0) }), count > 0 {
            bytes += buffer[..<count]
        }
        return try #require(String(validating: bytes, as: UTF8.self))
    }

    private static let line = "{\"id\": 1, \"text\": \"one\"}\n"

    // MARK: - JSON

    @Test(
        "JSONL is recognized if most of the first lines are JSON objects with the field, regardless of the name",
        arguments: ["a", "a.json", "a.txt", "a.jl", "a.JSON", "data.jsonl.part"]
    )
    func lines(name: String) throws {
        let long = "{\"text\": \"" + String(repeating: "long ", count: 100_000) + "\"}\n"
        for text in [Self.line, Self.line + "not JSON\n", "\n\n" + Self.line, "\u{FEFF}" + Self.line, long] {
            let content = try content(Array(text.utf8), name)
            #expect(content.kind == .jsonLines)
            #expect(content.notices.last == .jsonLines)
        }
    }

    @Test(
        "one bad line does not prevent the recognition of JSONL",
        arguments: ["{\"text\": \"cut\n", "# a header\n", "{\"text\": null}\n", "{\"version\": 1}\n"]
    )
    func badLine(first: String) throws {
        let lines = String(repeating: Self.line, count: 5)
        for text in [first + lines, lines + first] {
            let content = try content(Array(text.utf8), "a.json")
            #expect(content.kind == .jsonLines)
            #expect(content.notices == [.jsonLines])
        }
    }

    @Test(
        "a file with the extension of JSONL is read without a notice",
        arguments: ["a.jsonl", "a.JSONL", "a.ndjson", "A.JsonL", "a.jsonl.gz"]
    )
    func names(name: String) throws {
        let content = try content(Array(Self.line.utf8), name)
        #expect(content.kind == .jsonLines)
        #expect(content.notices.isEmpty)
    }

    @Test(
        "JSON without lines that have the field is read as text with a notice",
        arguments: [
            "{\"id\": 1, \"body\": \"one\"}\n{\"id\": 2}\n", "{\n  \"name\": \"a package\",\n  \"files\": []\n}\n",
            "[\"one\", \"two\"]", "\"one\"\n\"two\"\n", "[1, 2]\n[3, 4]\n", "{\"data\": [{\"text\": \"one\"}]}",
            "[[1, 2],\n[3, 4]]\n", "{\"text\": 1}\n",
        ]
    )
    func otherJSON(text: String) throws {
        let content = try content(Array(text.utf8), "a.json")
        #expect(content.kind == .text)
        #expect(content.notices == [.otherJSON])
        #expect(try self.text(of: content.stream) == text)
    }

    @Test(
        "text that only starts like JSON is read as text without a notice",
        arguments: [
            "[1] A first note.\n[2] Another.\n", "{\"text\": \"an example\"}\nThat is JSON.\nThis is not.\n",
            "1\n2\n3\n", "{ braces }\n", "{\"text\": one}\n", "[", "{", "[a](b)", "{} {a}", "",
        ]
    )
    func text(text: String) throws {
        let content = try content(Array(text.utf8), "a.json")
        #expect(content.kind == .text)
        #expect(content.notices.isEmpty)
    }

    @Test(
        "an array, and objects over several lines, are refused with the command that converts them",
        arguments: [
            ("[\n  {\"id\": 1, \"text\": \"one\"}\n]\n", "one JSON array", "'.[]'"),
            ("[{\"text\": \"one\"}, {\"text\": \"two\"}]", "one JSON array", "'.[]'"),
            ("{\n  \"text\": \"one\"\n}\n{\n  \"text\": \"two\"\n}\n", "JSON objects over several lines", "."),
            ("{\"text\": \"one\"}{\"text\": \"two\"}", "JSON objects over several lines", "."),
        ]
    )
    func refusedJSON(text: String, what: String, filter: String) throws {
        let error = try #require(throws: UserError.self) { try content(Array(text.utf8), "a.json") }
        #expect(
            error
                == UserError(
                    .data,
                    """
                    \(folder("a.json")) is \(what), not JSONL with one object per line; convert it with \
                    jq -c \(filter) FILE > FILE.jsonl
                    """
                )
        )
    }

    @Test("an array is refused, whatever its fields are, if the name or the user says JSONL")
    func namedArray() throws {
        let array = Array("[\n{\"body\": \"one\"},\n{\"body\": \"two\"}\n]".utf8)
        #expect(throws: UserError.self) { try content(array, "a.jsonl") }
        #expect(throws: UserError.self) { try content(array, "a", CorpusFormat(field: "body")) }
    }

    // MARK: - Encodings

    private func utf16(_ text: String, isBigEndian: Bool) -> [UInt8] {
        text.utf16.flatMap { unit in
            let (high, low) = (UInt8(unit >> 8), UInt8(unit & 255))
            return isBigEndian ? [high, low] : [low, high]
        }
    }

    @Test("UTF-16 is recognized with and without a byte order mark, and converted", arguments: [true, false])
    func utf16(isBigEndian: Bool) throws {
        let latin = String(repeating: "Zwölf Boxkämpfer jagen Viktor 𝄞.\r\n", count: 5000)
        let marked = "\u{FEFF}" + String(repeating: "日本語の文𝄞\n", count: 10_000)
        for text in [latin, "\u{FEFF}" + latin, marked, "ab"] {
            let content = try content(utf16(text, isBigEndian: isBigEndian))
            #expect(content.kind == .text)
            #expect(content.notices == [.utf16])
            #expect(try self.text(of: content.stream) == text.filter { $0 != "\u{FEFF}" })
        }
        let lines = try content(utf16(Self.line + Self.line, isBigEndian: isBigEndian))
        #expect(lines.kind == .jsonLines)
        #expect(lines.notices == [.utf16, .jsonLines])
    }

    @Test("damaged UTF-16 is refused with the byte offset")
    func damagedUTF16() throws {
        for (bytes, reason) in [
            ([0xFF, 0xFE, 0x41, 0, 0x42], "it ends within a character at byte 4"),
            ([0xFF, 0xFE, 0x41, 0, 0x34, 0xD8, 0x42, 0], "it has an unpaired surrogate at byte 4"),
            ([0xFF, 0xFE, 0x41, 0, 0x1E, 0xDD], "it has an unpaired surrogate at byte 4"),
            ([0xFF, 0xFE, 0x41, 0, 0x34, 0xD8], "it ends within a character at byte 4"),
        ] as [([UInt8], String)] {
            let error = try #require(throws: UserError.self) { try text(of: content(bytes).stream) }
            #expect(error.kind == .data)
            #expect(error.message.contains("is damaged UTF-16: \(reason)"), "\(error.message)")
        }
    }

    @Test("UTF-32 is recognized with and without a byte order mark, and refused", arguments: [true, false])
    func utf32(isBigEndian: Bool) throws {
        for text in ["\u{FEFF}some text", "some text"] {
            let bytes = text.unicodeScalars.flatMap { scalar in
                let bytes = (0..<4).map { UInt8(truncatingIfNeeded: scalar.value >> UInt32(8 * $0)) }
                return isBigEndian ? bytes.reversed() : bytes
            }
            let error = try #require(throws: UserError.self) { try content(bytes) }
            #expect(error.message.hasPrefix("\(folder("a")) is UTF-32"), "\(error.message)")
        }
    }

    @Test("a UTF-8 byte order mark is removed with a notice")
    func mark() throws {
        let content = try content(Array("\u{FEFF}some text".utf8))
        #expect(content.notices == [.byteOrderMark])
        #expect(content.offset == 3)
        #expect(try text(of: content.stream) == "some text")
    }

    // MARK: - Binary files

    @Test(
        "a binary file is refused with its format",
        arguments: [
            (Array("%PDF-1.7\n1 0 obj\n".utf8), "is a PDF document"),
            ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "is a PNG image"),
            ([0x7F, 0x45, 0x4C, 0x46, 2, 1], "is a program (ELF)"),
            ([0x80, 2, 0x7D, 0x71, 0, 0x2E], "is a pickle"), ([0x80, 4, 0x95], "is a pickle"),
            ([0x40, 0, 0, 0, 0, 0, 0, 0] + Array("{\"a\":{}".utf8), "is a model (safetensors)"),
            ([0x93] + Array("NUMPY".utf8) + [1, 0, 0x76, 0], "is a NumPy array"),
            (Array("GGUF".utf8) + [3, 0, 0, 0], "is a model (GGUF)"),
            (Array("SQLite format 3".utf8) + [0], "is a SQLite database"),
            (
                [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 26) + Array("[Content_Types].xml".utf8),
                "is a Microsoft Office document"
            ),
            ([1, 0, 2, 0, 3, 0, 0, 0], "has NUL bytes, the first at byte 1"),
            (
                Array("caf".utf8) + [0xE9] + [UInt8](repeating: 0x20, count: 1000) + [0],
                "has NUL bytes, the first at byte 1004"
            ),
        ] as [([UInt8], String)]
    )
    func binary(bytes: [UInt8], reason: String) throws {
        let binary = try #require(throws: BinaryContent.self) { try content(bytes) }
        #expect(binary.reason == reason)
    }

    @Test(
        "text that starts with the signature of a binary format is text",
        arguments: ["GGUF is a format", "RIFFs and ID3 tags", "MZ", "BM", "GIF8 is short", "ORC of a tale", "fLaC"]
    )
    func likeBinary(text: String) throws {
        #expect(try content(Array(text.utf8)).kind == .text)
    }

    @Test("a NUL in a long text does not make it a binary file")
    func strayNUL() throws {
        let text = String(repeating: "a line of a log\n", count: 100) + "\0"
        #expect(try content(Array(text.utf8)).kind == .text)
    }
}
