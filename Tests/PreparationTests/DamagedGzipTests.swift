import Foundation
import Platform
import TestSupport
import Testing

@testable import Preparation

/// Gzip files that are damaged, truncated, or followed by other bytes. No data is dropped silently.
@Suite("Damaged gzip files", .enabled(if: ArchiveReader.isBuiltIn))
struct DamagedGzipTests {
    private static let text = "Report of the harbour office.\n"
    private static let archives = Fixtures.path("archives")
    private static let cases = Fixtures.path("cases/data")

    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func text(_ bytes: [UInt8], as name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: folder(name)))
        return try text(of: folder(name))
    }

    private func text(of path: String) throws -> String {
        String(decoding: try Corpus(inputs: [path]).documents().flatMap(\.text), as: UTF8.self)
    }

    /// Returns the error message for a file, with the folder removed from its path.
    private func error(_ bytes: [UInt8], as name: String, _ location: SourceLocation = #_sourceLocation) -> String {
        let error = #expect(throws: UserError.self, sourceLocation: location) { try text(bytes, as: name) }
        #expect(error?.kind == .data, sourceLocation: location)
        return error?.message.replacing(folder.path + "/", with: "") ?? ""
    }

    private static func gzip(_ text: String = text) -> [UInt8] { ArchiveMaking.gzip(Array(text.utf8)) }

    // MARK: - gzip

    @Test(
        "gzip files with a flipped bit or a damaged second member are refused",
        arguments: [
            ("d1-flip", ": incorrect data check"),
            ("d2-member", " in the gzip member that starts at byte 183: incorrect header check"),
        ]
    )
    func field(name: String, reason: String) throws {
        let error = #expect(throws: UserError.self) { try text(of: "\(Self.cases)/\(name).jsonl.gz") }
        #expect(error?.kind == .data)
        #expect(error?.message == "\(Self.cases)/\(name).jsonl.gz is damaged\(reason)")
    }

    /// Some flipped bits are harmless: those of the time, level and system in the header, and those that make a
    /// repeated text be copied from another of its repetitions.
    @Test("a flipped bit is either refused or does not change the text", arguments: ["text.txt.gz", "flat.tar.gz"])
    func flips(name: String) throws {
        let bytes = try FileSystem.read(Self.archives + "/" + name)
        let whole = try text(of: Self.archives + "/" + name)
        var refused = 0
        // All bits of the header and the trailer, and every seventh bit between them.
        for bit in 0..<8 * bytes.count where bit < 160 || bit % 7 == 0 || bit >= 8 * bytes.count - 64 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            do {
                #expect(try text(damaged, as: name) == whole, "bit \(bit)")
            } catch let error as UserError {
                refused += 1
                #expect(error.kind == .data, "bit \(bit): \(error)")
            }
        }
        #expect(refused > 100)
    }

    @Test("gzip files with several members, empty members and padding are a single text")
    func members() throws {
        let extra: [UInt8] = [0x1F, 0x8B, 8, 0x04, 0, 0, 0, 0, 0, 255, 6, 0, 0x42, 0x43, 2, 0, 27, 0]
        var named: [UInt8] = [0x1F, 0x8B, 8, 0x1A, 1, 2, 3, 4, 0, 3] + Array("a.txt\u{0}a comment\u{0}".utf8)
        named += ArchiveMaking.little(Int(ArchiveMaking.crc32(named)), 2)
        let nothing = ArchiveMaking.gzip([], head: extra)
        let content = Array(Self.text.utf8)
        for (bytes, count) in [
            (Self.gzip() + Self.gzip(), 2),
            // bgzip ends with an empty member.
            (ArchiveMaking.gzip(content, head: extra) + ArchiveMaking.gzip(content, head: extra) + nothing, 2),
            (nothing + Self.gzip() + nothing + Self.gzip() + nothing, 2),
            (ArchiveMaking.gzip(content, head: named), 1),
            // Tape drives pad files with NULs.
            (Self.gzip() + [UInt8](repeating: 0, count: 100_000), 1),
            (Self.gzip() + [0, 0, 0] + Self.gzip() + [0], 2),
            (nothing, 0),
        ] {
            #expect(try text(bytes, as: "a.txt.gz") == String(repeating: Self.text, count: count))
        }
        // Members that are larger than the buffers.
        let long = String(repeating: Self.text, count: 20_000)
        #expect(try text(Self.gzip(long) + Self.gzip(long), as: "long.txt.gz") == long + long)
    }

    @Test("errors in a gzip file have the reason and the place")
    func messages() throws {
        let (whole, size) = (Self.gzip(), Self.gzip().count)
        func damaged(_ place: Int) -> [UInt8] {
            var bytes = whole
            bytes[place] ^= 1
            return bytes
        }
        for (bytes, message) in [
            (damaged(size - 8), "a.gz is damaged: incorrect data check"),
            (damaged(size - 4), "a.gz is damaged: incorrect length check"),
            (damaged(20), "a.gz is damaged: incorrect data check"),
            (Array(whole.dropLast()), "a.gz is damaged: the file ends within its compressed data"),
            (Array(whole.prefix(12)), "a.gz is damaged: the file ends within its compressed data"),
            (Array(whole.prefix(5)), "a.gz is damaged: the file ends within its compressed data"),
            (
                whole + whole.dropLast(),
                "a.gz is damaged in the gzip member that starts at byte \(size): the file ends within its compressed data"
            ),
            (
                whole + damaged(1),
                "a.gz is damaged in the gzip member that starts at byte \(size): incorrect header check"
            ),
            (
                whole + damaged(2),
                "a.gz is damaged in the gzip member that starts at byte \(size): unknown compression method"
            ),
            (
                whole + damaged(0),
                "a.gz is damaged: the \(size) bytes from byte \(size) on are not gzip data; if they are not needed, "
                    + "remove them: head -c \(size) FILE.gz > WHOLE.gz"
            ),
            (
                whole + [0, 0] + Array("the end".utf8),
                "a.gz is damaged: the 7 bytes from byte \(size + 2) on are not gzip data; if they are not needed, "
                    + "remove them: head -c \(size + 2) FILE.gz > WHOLE.gz"
            ),
            (
                damaged(0),
                "a.gz is neither gzip data nor text; it is damaged or has the wrong file extension"
            ),
        ] {
            #expect(error(bytes, as: "a.gz") == message)
        }
        #expect(try text(Array(Self.text.utf8), as: "plain.txt.gz") == Self.text)
    }

    @Test("a gzip file inside another file is checked too", arguments: ["gz", "tar", "tar.gz", "zip"])
    func nested(outer: String) throws {
        func pack(_ bytes: [UInt8]) -> [UInt8] {
            let members = [ArchiveMaking.Member("a.txt", Self.text), .init("in/b.txt.gz", bytes)]
            return switch outer {
            case "gz": ArchiveMaking.gzip(bytes)
            case "tar": ArchiveMaking.tar(members)
            case "tar.gz": ArchiveMaking.gzip(ArchiveMaking.tar(members))
            default: ArchiveMaking.zip(members)
            }
        }
        let name = "c.txt.gz.\(outer)"
        let whole = Self.gzip()
        var damaged = whole
        damaged[25] ^= 4
        #expect(try text(pack(whole), as: name) == String(repeating: Self.text, count: outer == "gz" ? 1 : 2))
        let inner = outer == "gz" ? name : "\(name)/in/b.txt.gz"
        #expect(error(pack(damaged), as: name) == "\(inner) is damaged: incorrect data check")
        #expect(error(pack(whole + damaged.dropFirst()), as: name).hasPrefix("\(inner) is damaged: the "))
    }

    @Test("the gzip data around a tar is checked beyond the end of the tar")
    func tarInGzip() throws {
        var bytes = ArchiveMaking.gzip(ArchiveMaking.tar([.init("a.txt", Self.text)]))
        #expect(try text(bytes, as: "a.tar.gz") == Self.text)
        bytes[bytes.count - 6] ^= 1
        #expect(error(bytes, as: "a.tar.gz") == "a.tar.gz is damaged: incorrect data check")
    }
}
