import Formats
import Foundation
import Platform
import TestSupport
import Testing

@testable import Preparation
@testable import Tokenizers

@Suite("Readers")
struct CorpusReaderTests {
    /// The archives that make.sh in the same folder writes.
    static let archives = Fixtures.path("archives")

    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func write(_ text: String, to name: String) throws -> String {
        try FileSystem.createFolder(FileSystem.folder(of: folder(name)))
        try AtomicFile.write(text, to: folder(name))
        return folder(name)
    }

    private struct Document: Equatable {
        var text: String
        var origin: String
    }

    /// Reads all documents and joins their pieces.
    private func documents(
        _ inputs: [String],
        _ format: CorpusFormat = CorpusFormat()
    ) throws -> [Document] {
        let reader = try Corpus(inputs: inputs, format: format, hasShare: false)
            .reader { UTF8Scanner.lastBoundary(in: $0) }
        var documents: [Document] = []
        while let batch = try reader.next() {
            for piece in batch.pieces {
                let text = String(decoding: batch.bytes[piece.range], as: UTF8.self)
                if piece.startsDocument {
                    documents.append(Document(text: text, origin: piece.origin))
                } else {
                    documents[documents.count - 1].text += text
                }
            }
        }
        return documents
    }

    static func archived(_ number: Int) -> String {
        String(repeating: "Document \(number) of the archive.\n", count: 100 * number + 1)
    }

    // MARK: - Plain text and JSONL

    @Test("links to a parent folder are skipped, and other links are followed")
    func links() throws {
        _ = try write("one", to: "in/a/1.txt")
        _ = try write("two", to: "elsewhere/2.txt")
        for (link, target) in [("in/a/up", ".."), ("in/self", "."), ("in/other", folder("elsewhere"))] {
            try FileManager.default.createSymbolicLink(atPath: folder(link), withDestinationPath: target)
        }
        #expect(try documents([folder("in")]).map(\.text) == ["one", "two"])
    }

    @Test("a named pipe is refused without hanging, because its first bytes could not be read twice")
    func pipe() throws {
        #expect(mkfifo(folder("pipe"), 0o600) == 0)
        for name in ["pipe", "pip?"] {
            let error = #expect(throws: UserError.self) { try documents([folder(name)]) }
            #expect(error?.kind == .usage)
            #expect(error?.message.hasPrefix("\(folder("pipe")) is a pipe or a device") == true, "\(name)")
        }
    }

    @Test("the files of a folder are documents in the order of their paths, without hidden files")
    func folderOfFiles() throws {
        for name in ["b.txt", "a/2.txt", "a/1.txt", ".hidden", "c/.DS_Store"] { _ = try write(name, to: "in/" + name) }
        #expect(try documents([folder("in")]).map(\.text) == ["a/1.txt", "a/2.txt", "b.txt"])
        #expect(try documents([folder("in/*.txt"), folder("in/a/2*")]).map(\.text) == ["b.txt", "a/2.txt"])
        let error = #expect(throws: UserError.self) { try documents([folder("in/*.text")]) }
        #expect(error?.message == "cannot open \(folder("in/*.text")): No such file or directory")
    }

    @Test("a separator and the line break after it end a document, and empty documents are skipped")
    func separator() throws {
        let text = "one\n<|end|>\ntwo<|end|>\r\n<|end|><|end|>three <|end\n<|end|>"
        let path = try write(text, to: "a.txt")
        let found = try documents([path], CorpusFormat(separator: "<|end|>"))
        #expect(found.map(\.text) == ["one\n", "two", "three <|end\n"])
    }

    @Test("the size of the chunks does not change where text is cut", arguments: [17, 1000, 1 << 20])
    func chunks(size: Int) throws {
        var text = ""
        for number in 0..<3000 { text += String(repeating: "wörd\(number) ", count: number % 200) + "<|end|>\r\n" }
        text += String(repeating: "ein langer Satz über nichts. ", count: 90_000)
        func pieces(_ size: Int) throws -> [TextBatch.Piece] {
            var assembler = TextAssembler(format: CorpusFormat(separator: "<|end|>")) {
                UTF8Scanner.lastBoundary(in: $0)
            }
            var pieces: [TextBatch.Piece] = []
            func take(_ batch: TextBatch?) {
                for var piece in batch?.pieces ?? [] {
                    piece.range = 0..<piece.range.count
                    pieces.append(piece)
                }
            }
            assembler.begin("a", form: .text, split: nil)
            try Array(text.utf8).withUnsafeBytes { bytes in
                for start in stride(from: 0, to: bytes.count, by: size) {
                    try assembler.append(.init(rebasing: bytes[start..<min(start + size, bytes.count)]))
                    take(assembler.take())
                }
            }
            try assembler.end()
            take(assembler.take())
            take(assembler.takeRest())
            return pieces
        }
        let (whole, parts) = (try pieces(1 << 18), try pieces(size))
        #expect(parts.count == whole.count)
        #expect(
            zip(parts, whole).allSatisfy {
                $0.offset == $1.offset && $0.range == $1.range && $0.startsDocument == $1.startsDocument
                    && $0.endsDocument == $1.endsDocument
            }
        )
        // 2985 documents are not empty, and the last document has three pieces.
        #expect(whole.count == 2985 + 3)
    }

    @Test("the text of a JSONL line is its field, and errors have the file and the line number")
    func jsonLines() throws {
        let path = try write("{\"text\": \"one\"}\n\n{\"id\": 2, \"text\": \"zw\\u00f6lf\"}", to: "a.jsonl")
        #expect(try documents([path]).map(\.text) == ["one", "zwölf"])
        for (line, reason) in [
            ("{\"text\": 1}", "has a field text that is not a string"),
            (
                "{\"id\": 1, \"body\": \"x\"}",
                "has no field text, only id, body; pass the name of the text field with --field"
            ),
            ("[1]", "is not a JSON object"),
            ("{\"text\": ", "is not JSON: the text ends before a value at byte 9"),
        ] {
            let path = try write("{\"text\": \"one\"}\n\n\(line)\n", to: "a.jsonl")
            let error = try #require(throws: UserError.self) { try documents([path]) }
            #expect(error == UserError(.data, "\(path): line 3 \(reason)"))
        }
    }

    @Test("an error in a compressed file has the name of the compressed file", .enabled(if: ArchiveReader.isBuiltIn))
    func compressedLines() throws {
        let path = Fixtures.path("cases/data/d6-lines.json.gz")
        let error = try #require(throws: UserError.self) { try documents([path], CorpusFormat(field: "body")) }
        #expect(error.message.hasPrefix("\(path): line 1 has no field body, only text;"), "\(error.message)")
    }

    @Test("a Parquet file is refused with the command that converts it")
    func parquet() throws {
        let path = try write("PAR1\u{15}\u{4}", to: "train-00000.parquet")
        let error = try #require(throws: UserError.self) { try documents([path]) }
        #expect(error.kind == .data)
        #expect(error.message.contains("pyarrow.parquet"))
        #expect(error.message.contains("\(path) | ddp-train prepare --input - --field text"))
    }

    @Test("a source is described by its size and hash, and a folder by those of its files")
    func sources() throws {
        let paths = [try write("first", to: "in/1.txt"), try write("second", to: "in/2.txt")]
        let reader = try Corpus(inputs: [paths[0], folder("in")], format: CorpusFormat(), hasShare: false)
            .reader { $0.count }
        while try reader.next() != nil {}
        let lines = try paths.map { "\(try Checksum.sha256(ofFile: $0))  \($0)\n" }.joined()
        #expect(
            reader.finishedSources == [
                .init(name: "1.txt", bytes: 5, sha256: Checksum.sha256(of: "first")),
                .init(name: "in", bytes: 11, sha256: Checksum.sha256(of: lines)),
            ]
        )
        #expect(reader.bytesRead == 16)
    }

    // MARK: - Archives

    @Test(
        "archives of every format are read, also nested ones",
        .enabled(if: ArchiveReader.isBuiltIn),
        arguments: ["nested.tar.xz", "flat.tar.gz", "flat.tar.zst", "flat.zip"]
    )
    func archive(name: String) throws {
        let found = try documents([Self.archives + "/" + name])
        #expect(found.map(\.text) == (0..<9).map(Self.archived))
        #expect(found.last?.origin.hasPrefix("\(Self.archives)/\(name)/") == true)
        let corpus = try Corpus(inputs: [Self.archives + "/" + name], format: CorpusFormat(), hasShare: false)
        #expect(!corpus.isOneText)
    }

    @Test(
        "a compressed text is a single text with the name of the file",
        .enabled(if: ArchiveReader.isBuiltIn),
        arguments: ["gz", "xz", "zst"]
    )
    func compressed(ending: String) throws {
        let path = "\(Self.archives)/text.txt.\(ending)"
        #expect(try documents([path]) == [Document(text: Self.archived(8), origin: path)])
        #expect(try Corpus(inputs: [path], format: CorpusFormat(), hasShare: false).isOneText)
    }

    @Test(
        "a compressed file whose name starts with a dot is read if it is named, and skipped in a folder",
        .enabled(if: ArchiveReader.isBuiltIn)
    )
    func hiddenCompressed() throws {
        try AtomicFile.write(try FileSystem.read(Self.archives + "/text.txt.gz"), to: folder(".text.txt.gz"))
        #expect(
            try documents([folder(".text.txt.gz")]) == [
                Document(text: Self.archived(8), origin: folder(".text.txt.gz"))
            ]
        )
        let path = try write("seen", to: "seen.txt")
        #expect(try documents([folder.path]) == [Document(text: "seen", origin: path)])
    }

    @Test(
        "a damaged member is refused by name after the members before it are read",
        .enabled(if: ArchiveReader.isBuiltIn)
    )
    func damaged() throws {
        let reader = try Corpus(inputs: [Self.archives + "/damaged.tar.xz"], format: CorpusFormat(), hasShare: false)
            .reader { $0.count }
        let error = try #require(throws: UserError.self) { while try reader.next() != nil {} }
        #expect(error.kind == .data)
        let member = "\(Self.archives)/damaged.tar.xz/openwebtext/urlsf_subset00-1_data.xz"
        #expect(error.message.hasPrefix("\(member) is damaged"), "\(error.message)")
    }

    @Test(
        "a truncated archive is refused",
        .enabled(if: ArchiveReader.isBuiltIn),
        arguments: ["nested.tar.xz", "flat.tar.gz", "flat.tar.zst", "text.txt.gz", "text.txt.xz", "text.txt.zst"]
    )
    func cut(name: String) throws {
        let bytes = try FileSystem.read(Self.archives + "/" + name)
        try AtomicFile.write(Array(bytes.prefix(bytes.count * 2 / 3)), to: folder(name))
        let error = try #require(throws: UserError.self) { try documents([folder(name)]) }
        #expect(error.kind == .data)
        #expect(error.message.hasPrefix("\(folder(name)) is damaged"), "\(error.message)")
    }
}
