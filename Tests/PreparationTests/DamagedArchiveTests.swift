import Foundation
import Platform
import TestSupport
import Testing

@testable import Preparation

/// Archives, and files compressed with other formats than gzip.
@Suite("Damaged archives", .enabled(if: ArchiveReader.isBuiltIn))
struct DamagedArchiveTests {
    private static let archives = Fixtures.path("archives")
    private static let members = (0..<4).map { ArchiveMaking.Member("in/\($0).txt", "Report \($0).\n") }
    private static let texts = members.map { String(decoding: $0.content, as: UTF8.self) }

    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func documents(_ bytes: [UInt8], as name: String) throws -> [(origin: String, text: [UInt8])] {
        try Data(bytes).write(to: URL(fileURLWithPath: folder(name)))
        return try Corpus(inputs: [folder(name)]).documents()
    }

    private func texts(_ bytes: [UInt8], as name: String) throws -> [String] {
        try documents(bytes, as: name).map { String(decoding: $0.text, as: UTF8.self) }
    }

    /// Returns the error message for a file, with the folder removed from its path.
    private func error(_ bytes: [UInt8], as name: String, _ location: SourceLocation = #_sourceLocation) -> String {
        let error = #expect(throws: UserError.self, sourceLocation: location) { try texts(bytes, as: name) }
        #expect(error?.kind == .data, sourceLocation: location)
        return error?.message.replacing(folder.path + "/", with: "") ?? ""
    }

    @Test("a tar whose first header is damaged is refused and not read as text", arguments: [0, 100, 140, 150])
    func firstHeader(byte: Int) throws {
        var tar = ArchiveMaking.tar(
            (0..<3).map { .init("in/\($0).txt", String(repeating: "Report \($0).\n", count: 9000)) }
        )
        #expect(try texts(tar, as: "whole.tar").count == 3)
        tar[byte] ^= 1
        #expect(error(tar, as: "a.tar") == "a.tar is a damaged tar: the checksum of its first header is wrong")
    }

    @Test("hidden folders of an archive are skipped, like those of a folder")
    func hiddenFolders() throws {
        let members = [".git/config", "in/.cache/a.txt", "in/b.txt", "./in/c.txt"].map {
            ArchiveMaking.Member($0, "Text of \($0).\n")
        }
        #expect(try texts(ArchiveMaking.tar(members), as: "a.tar") == ["Text of in/b.txt.\n", "Text of ./in/c.txt.\n"])
    }

    // MARK: - Compressed files

    @Test("bytes after the compressed data are refused", arguments: ["bz2", "lz4", "xz", "zst"])
    func trailing(ending: String) throws {
        let name = "text.txt.\(ending)"
        let whole = try FileSystem.read(Self.archives + "/" + name)
        let text = CorpusReaderTests.archived(8)
        #expect(try texts(whole + whole, as: name) == [text + text])
        var damagedHead = whole
        damagedHead[1] ^= 1
        for rest in [damagedHead, Array("garbage".utf8)] {
            #expect(error(whole + rest, as: name).hasPrefix("\(name) is damaged"))
        }
        if ending == "bz2" || ending == "lz4" {
            #expect(try texts(whole + [0, 0, 0, 0, 0, 0], as: name) == [text])
            let used = whole.count + (ending == "lz4" ? 4 : 0)
            let compression = ending == "lz4" ? "lz4" : "bzip2"
            #expect(
                error(whole + damagedHead, as: name) == """
                    \(name) is damaged: its \(compression) data ends at byte \(used), and the \
                    \(2 * whole.count - used) bytes after it are not \(compression) data
                    """
            )
        }
    }

    @Test("a compressed file that is truncated at any place is refused", arguments: ["bz2", "lz4", "xz", "zst", "gz"])
    func cut(ending: String) throws {
        let name = "text.txt.\(ending)"
        let whole = try FileSystem.read(Self.archives + "/" + name)
        for count in stride(from: 10, to: whole.count, by: 3) {
            #expect(error(Array(whole.prefix(count)), as: name).hasPrefix("\(name) is damaged"), "\(count) bytes")
        }
    }

    @Test("skippable frames before the content are skipped", arguments: ["zst", "lz4"])
    func skippable(ending: String) throws {
        let name = "text.txt.\(ending)"
        let whole = try FileSystem.read(Self.archives + "/" + name)
        func frame(_ number: UInt8, _ count: Int) -> [UInt8] {
            [0x50 | number, 0x2A, 0x4D, 0x18] + ArchiveMaking.little(count, 4) + [UInt8](repeating: 65, count: count)
        }
        let frames = frame(0, 5) + frame(15, 0) + frame(3, 70_000)
        let text = CorpusReaderTests.archived(8)
        #expect(try texts(frames + whole, as: name) == [text])
        #expect(try texts(frames + whole + frame(7, 9) + whole, as: name) == [text + text])
        // A reader that recursed for each frame would overflow the stack.
        let many = (0..<20_000).flatMap { _ in frame(1, 0) }
        #expect(try texts(many + whole, as: name) == [text])
        #expect(
            error(frames + Array("text".utf8), as: name)
                == "\(name) is damaged: it starts with a skippable frame, but no zstd or lz4 data follows"
        )
        #expect(error(Array(frame(2, 9).dropLast()), as: name).hasSuffix("the file ends within a skippable frame"))
    }

    @Test("zstd files with skippable frames are read, and those with a large window are refused with the fix")
    func zstd() throws {
        let cases = Fixtures.path("cases/data")
        let documents = try Corpus(inputs: ["\(cases)/d8-skippable.jsonl.zst"]).documents()
        #expect(documents.count == 40)
        #expect(String(decoding: documents[0].text, as: UTF8.self).contains("of the harbour office"))
        let path = "\(cases)/d8-window28.jsonl.zst"
        let error = #expect(throws: UserError.self) { try Corpus(inputs: [path]).documents() }
        #expect(error?.message.hasPrefix("\(path) was compressed with zstd --long=28 or more") == true)
        #expect(error?.message.contains("zstd -d --long=31 \(path)") == true)
    }

    @Test("a file with too many levels of compression is refused")
    func deep() throws {
        var bytes = Array("text".utf8)
        for _ in 0..<9 { bytes = ArchiveMaking.gzip(bytes) }
        #expect(error(bytes, as: "a") == "a is compressed more than 7 times; decompress it first")
    }

    // MARK: - tar

    @Test("tars older than POSIX and concatenated tars are read completely", arguments: ["tar", "tar.gz"])
    func tars(ending: String) throws {
        func pack(_ bytes: [UInt8]) -> [UInt8] { ending == "tar" ? bytes : ArchiveMaking.gzip(bytes) }
        let tar = ArchiveMaking.tar(Self.members)
        #expect(try texts(pack(tar), as: "a.\(ending)") == Self.texts)
        #expect(try texts(pack(ArchiveMaking.tar(Self.members, hasMark: false)), as: "a.\(ending)") == Self.texts)
        #expect(try texts(pack(tar + tar), as: "a.\(ending)") == Self.texts + Self.texts)
        #expect(try texts(pack(tar) + pack(tar), as: "a.\(ending)") == Self.texts + Self.texts)
    }

    @Test("a tar that is truncated within a member or between two, or has a damaged header, is refused")
    func damagedTars() throws {
        let tar = ArchiveMaking.tar(Self.members)
        for count in [600, 1024, 1024 + 515, 2048, 4096] {
            #expect(error(Array(tar.prefix(count)), as: "a.tar").hasPrefix("a.tar is damaged"), "\(count) bytes")
        }
        #expect(
            error(Array(tar.prefix(2048)), as: "a.tar") == """
                a.tar is damaged: it has no end-of-archive marker, so members may be missing; if it is complete, add the \
                marker: head -c 1024 /dev/zero >> FILE.tar
                """
        )
        var damaged = tar
        damaged[2 * 1024 + 3] ^= 1
        #expect(error(damaged, as: "a.tar") == "a.tar is damaged: Damaged tar archive")
        #expect(error(tar + Array("garbage".utf8), as: "a.tar").hasPrefix("a.tar is damaged"))
    }

    // MARK: - zip

    @Test("a zip is refused if a listed member or the list itself is missing")
    func damagedZips() throws {
        let zip = ArchiveMaking.zip(Self.members, comment: "a comment")
        #expect(try texts(zip, as: "a.zip") == Self.texts)
        #expect(try texts(zip + [0, 0, 0], as: "a.zip") == Self.texts)
        let size = 30 + Self.members[0].name.count + Self.members[0].content.count
        for place in [size, size + 3] {
            var damaged = zip
            damaged[place] ^= 1
            #expect(error(damaged, as: "a.zip") == "a.zip is damaged: it lists 4 members, but only 3 were found")
        }
        for count in [2 * size, 2 * size + 10, 3 * size - 3, 4 * size, 4 * size + 60] {
            #expect(error(Array(zip.prefix(count)), as: "a.zip").hasPrefix("a.zip is damaged"), "\(count) bytes")
        }
        var content = zip
        content[2 * size - 2] ^= 1
        #expect(error(content, as: "a.zip").hasPrefix("a.zip is damaged in its member in/1.txt: ZIP bad CRC"))
    }

    // MARK: - Names

    @Test("the extension of a member's name is recognized even if the name is not UTF-8", arguments: ["tar", "zip"])
    func names(ending: String) throws {
        let line = "{\"text\": \"one\"}\n"
        let latin1 = Array("caf".utf8) + [0xE9] + Array(".jsonl".utf8)
        let members = [
            ArchiveMaking.Member("é/日本.jsonl", line), .init(latin1, Array(line.utf8)), .init("\u{301}x.txt", "text"),
        ]
        let archive = ending == "tar" ? ArchiveMaking.tar(members) : ArchiveMaking.zip(members)
        let found = try documents(archive, as: "a.\(ending)")
        let path = folder("a.\(ending)")
        #expect(found.map(\.origin) == ["é/日本.jsonl", "caf\\xE9.jsonl", "\u{301}x.txt"].map { "\(path)/\($0)" })
        #expect(found.map { String(decoding: $0.text, as: UTF8.self) } == ["one", "one", "text"])
    }
}
