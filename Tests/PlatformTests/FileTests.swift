import Foundation
import Platform
import TestSupport
import Testing

@Suite("Files")
struct FileTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test("threads can create the same folders at the same time")
    func foldersAtOnce() throws {
        let folder = try TemporaryFolder()
        let failures = Guarded<[String]>([])
        for round in 0..<200 {
            let path = folder("\(round)/a/b/c")
            let threads = (0..<4).map { _ in
                SystemThread {
                    do { try FileSystem.createFolder(path) } catch { failures.withLock { $0.append("\(error)") } }
                }
            }
            for thread in threads { thread.join() }
        }
        #expect(failures.withLock { $0 } == [])
    }

    @Test("an atomically written file has the bytes, replaces the old file, and leaves no other file")
    func atomicFile() throws {
        try AtomicFile.write("old", to: folder("a.txt"))
        try AtomicFile.write([1, 2, 255], to: folder("a.txt"))
        #expect(try FileSystem.read(folder("a.txt")) == [1, 2, 255])
        #expect(try folder.names == ["a.txt"])
    }

    @Test("bytes and text are appended in order")
    func appending() throws {
        let file = try AtomicFile(path: folder("a.txt"))
        try file.append([0xC3, 0xA9])
        try file.append("é")
        try file.commit()
        #expect(try FileSystem.read(folder("a.txt")) == Array("éé".utf8))
    }

    @Test("an abandoned file leaves the old file unchanged and no other file")
    func abandonedFile() throws {
        try AtomicFile.write("old", to: folder("a.txt"))
        do {
            let file = try AtomicFile(path: folder("a.txt"))
            try file.append("new")
            #expect(try folder.names.count == 2)
        }
        #expect(try FileSystem.read(folder("a.txt")) == Array("old".utf8))
        #expect(try folder.names == ["a.txt"])
    }

    @Test("the error for a missing folder gives the file and the cause")
    func missingFolder() throws {
        let path = folder("missing/a.txt")
        let error = #expect(throws: UserError.self) { try AtomicFile.write("x", to: path) }
        #expect(error == UserError(.inputOutput, "cannot write \(path): No such file or directory"))
    }

    @Test("reading a missing file, a folder or a file above the limit is an error with the path")
    func readingErrors() throws {
        let missing = folder("none")
        #expect(throws: UserError(.inputOutput, "cannot open \(missing): No such file or directory")) {
            try FileSystem.read(missing)
        }
        #expect(throws: UserError(.inputOutput, "cannot read \(folder.path): it is not a regular file")) {
            try FileSystem.read(folder.path)
        }
        try AtomicFile.write("four", to: folder("a"))
        let error = #expect(throws: UserError.self) { try FileSystem.read(folder("a"), limit: 3) }
        #expect(error?.kind == .data)
    }

    @Test("a folder appears when it is committed, and not when it is abandoned")
    func atomicFolder() throws {
        do {
            let abandoned = try AtomicFolder(path: folder("deep/set"))
            try AtomicFile.write("x", to: abandoned.temporaryPath + "/a")
        }
        #expect(try FileSystem.names(inFolder: folder("deep")) == [])

        let new = try AtomicFolder(path: folder("deep/set"))
        try AtomicFile.write("x", to: new.temporaryPath + "/a")
        #expect(FileSystem.kind(of: folder("deep/set")) == nil)
        try new.commit(replacing: false)
        #expect(try FileSystem.names(inFolder: folder("deep/set")) == ["a"])
    }

    @Test("an existing folder is replaced if that is allowed, and kept otherwise")
    func replacedFolder() throws {
        let path = folder("set")
        for (name, replacing) in [("first", false), ("second", true)] {
            let new = try AtomicFolder(path: path)
            try AtomicFile.write(name, to: new.temporaryPath + "/" + name)
            try new.commit(replacing: replacing)
        }
        #expect(try FileSystem.names(inFolder: path) == ["second"])
        do {
            let third = try AtomicFolder(path: path)
            let error = #expect(throws: UserError.self) { try third.commit(replacing: false) }
            #expect(error?.kind == .usage)
        }
        #expect(try FileSystem.names(inFolder: path) == ["second"])
        #expect(try folder.names == ["set"])
    }

    @Test("removing a folder does not follow symbolic links")
    func removingLinks() throws {
        try FileSystem.createFolder(folder("kept/inner"))
        try AtomicFile.write("x", to: folder("kept/inner/a"))
        try FileSystem.createFolder(folder("gone"))
        try FileManager.default.createSymbolicLink(atPath: folder("gone/link"), withDestinationPath: folder("kept"))
        try FileSystem.remove(folder("gone"))
        #expect(try folder.names == ["kept"])
        #expect(try FileSystem.names(inFolder: folder("kept/inner")) == ["a"])
    }

    @Test(
        "paths are split as in POSIX",
        arguments: [
            ("a/b", "a", "b"), ("b", ".", "b"), ("/b", "/", "b"), ("/", "/", "/"), ("a/b//", "a", "b"),
            ("a//b", "a", "b"),
        ]
    )
    func paths(path: String, folder: String, name: String) {
        #expect(FileSystem.folder(of: path) == folder)
        #expect(FileSystem.lastComponent(of: path) == name)
    }
}
