import Foundation
import Platform
import TestSupport
import Testing

@testable import Preparation
@testable import Tokenizers

/// Files and folders with unusual names or paths, and files that change while they are read.
@Suite("Files of a corpus")
struct CorpusFileTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Whether the file system accepts names that are not UTF-8. The one of macOS does not.
    private static let takesAnyName: Bool = {
        guard let folder = try? TemporaryFolder() else { return false }
        let path = FilePath(bytes: Array(folder.path.utf8) + [0x2F, 0xE9])
        defer { try? FileSystem.remove(path) }
        return mkdir(cString(path), 0o700) == 0
    }()

    private static func cString(_ path: FilePath) -> [CChar] { path.bytes.map { CChar(bitPattern: $0) } + [0] }

    private var path: FilePath { FilePath(folder.path) }

    private func write(_ text: String, to path: FilePath) throws {
        let descriptor = open(Self.cString(path), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        try #require(Array(text.utf8).withUnsafeBytes { FileSystem.write($0, to: descriptor) })
    }

    private func texts(_ inputs: [FilePath]) throws -> [String] {
        try Corpus(inputs: inputs, format: CorpusFormat(), hasShare: true).documents()
            .map { String(decoding: $0.text, as: UTF8.self) }
    }

    @Test("files and folders whose names are not UTF-8 are read, and messages escape them", .enabled(if: takesAnyName))
    func names() throws {
        let latin1 = FilePath(bytes: Array("caf".utf8) + [0xE9])
        let inner = path.appending(latin1)
        #expect(mkdir(Self.cString(inner), 0o700) == 0)
        try write("a", to: path.appending("a.txt"))
        try write("b", to: inner.appending(latin1))
        try write("c", to: path.appending(FilePath(bytes: [0xFF, 0xFE])))
        try write("d", to: path.appending("zwölf.txt"))
        #expect(Set(try texts([path])) == ["a", "b", "c", "d"])
        #expect(try texts([inner.appending(latin1)]) == ["b"])
        #expect(try texts([inner]) == ["b"])
        #expect(try texts([path.appending(FilePath(bytes: Array("caf".utf8) + [0xE9, 0x2F, 0x2A]))]) == ["b"])

        let reader = try Corpus(inputs: [inner.appending(latin1)], format: CorpusFormat(), hasShare: false)
            .reader { $0.count }
        #expect(try reader.next()?.pieces.first?.origin == "\(path)/caf\\xE9/caf\\xE9")
        while try reader.next() != nil {}
        #expect(reader.finishedSources.map(\.name) == ["caf\\xE9"])

        let missing = FilePath(bytes: inner.bytes + [0xE9])
        let error = #expect(throws: UserError.self) { try texts([missing]) }
        #expect(error?.message == "cannot open \(path)/caf\\xE9\\xE9: No such file or directory")
        // TemporaryFolder cannot remove these names, so they are removed here.
        try FileSystem.remove(path)
        #expect(FileSystem.kind(of: folder.path) == nil)
    }

    @Test("a path longer than the system's limit is read, in a folder and by name")
    func depth() throws {
        let name = String(repeating: "long", count: 50)
        var descriptor = open(folder.path, O_RDONLY | O_DIRECTORY)
        var deep = path
        for level in 0..<30 {
            try #require(mkdirat(descriptor, name, 0o700) == 0)
            let file = openat(descriptor, "a.txt", O_WRONLY | O_CREAT, 0o600)
            #expect(Array("level \(level)".utf8).withUnsafeBytes { FileSystem.write($0, to: file) })
            close(file)
            let next = openat(descriptor, name, O_RDONLY | O_DIRECTORY)
            close(descriptor)
            descriptor = next
            deep = deep.appending(FilePath(name))
        }
        let file = openat(descriptor, "b.txt", O_WRONLY | O_CREAT, 0o600)
        #expect(Array("deepest".utf8).withUnsafeBytes { FileSystem.write($0, to: file) })
        close(file)
        close(descriptor)
        #expect(deep.bytes.count > 4096)
        let found = try texts([path])
        #expect(found.count == 31)
        #expect(found.last == "deepest")
        #expect(try texts([deep.appending("b.txt")]) == ["deepest"])
        #expect(try texts([FilePath(bytes: deep.bytes + [0x2F])]) == ["deepest"])
        try FileSystem.remove(path)
        #expect(FileSystem.kind(of: folder.path) == nil)
    }

    @Test("only hidden names in a folder are skipped silently")
    func links() throws {
        try write("a", to: path.appending("a.txt"))
        #expect(symlink("nowhere", folder("b.txt")) == 0)
        let error = #expect(throws: UserError.self) { try texts([path]) }
        #expect(error?.message == "cannot open \(folder("b.txt")): No such file or directory")
        unlink(folder("b.txt"))
        #expect(mkfifo(folder("c"), 0o600) == 0)
        let pipe = #expect(throws: UserError.self) { try texts([path]) }
        #expect(pipe?.message.hasPrefix("\(folder("c")) is a pipe or a device") == true)
        unlink(folder("c"))
        #expect(symlink("nowhere", folder(".hidden")) == 0)
        #expect(try texts([path]) == ["a"])
    }

    // MARK: - Changes

    @Test(
        "a file that grows, shrinks or is rewritten while it is read is refused with its sizes",
        arguments: ["", "one", "one two, one more", "eno owt"]
    )
    func changes(text: String) throws {
        let file = path.appending("a.txt")
        try write("one two", to: file)
        let corpus = try Corpus(inputs: [folder("a.txt")])
        #expect(try corpus.documents().count == 1)
        #expect(corpus.change == nil)
        // The modification times of some file systems have a resolution of several milliseconds.
        usleep(20_000)
        try write(text, to: file)
        let error = #expect(throws: UserError.self) { try corpus.documents() }
        let how =
            text.count == 7
            ? "its 7 bytes were rewritten" : "its size changed from 7 to \(text.utf8.count) bytes"
        #expect(
            error?.message
                == "\(file) changed while it was read: \(how); run the command again when no program writes to it"
        )
        #expect(error?.kind == .data)
        #expect(corpus.change as? UserError == error)
    }

    @Test("a text that grows between two passes is refused, and no dataset is written", arguments: [false, true])
    func preparation(growsByOtherCharacters: Bool) throws {
        let file = path.appending("a.txt")
        try write(String(repeating: "one two ", count: 1000), to: file)
        var isGrown = false
        let request = PreparationRequest(source: .inputs([file]), name: "mine", dataFolder: folder("data"))
        let error = #expect(throws: UserError.self) {
            try DataPreparation.run(request) { _ in
                guard !isGrown else { return }
                isGrown = true
                let more = growsByOtherCharacters ? "№" : "two"
                try? write(String(repeating: "one two ", count: 1000) + more, to: file)
            }
        }
        #expect(error?.kind == .data)
        #expect(
            error?.message.hasPrefix("\(file) changed while it was read: its size changed from 8000 to 8003 bytes")
                == true
        )
        #expect(FileSystem.kind(of: folder("data/mine")) == nil)
    }
}
