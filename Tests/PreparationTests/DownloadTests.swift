import Compute
import Formats
import Platform
import TestSupport
import Testing

@testable import Preparation

@Suite("Downloads", .enabled(if: NamedDatasetTests.hasCurl))
struct DownloadTests {
    let folder: TemporaryFolder
    let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* $0 &+ $0 / 251) }

    init() throws { folder = try TemporaryFolder() }

    private var hash: String { content.withUnsafeBytes { Checksum.sha256(of: $0) } }
    private var path: String { folder("cache/some/file") }

    private func download(from server: LocalServer) -> Download {
        Download(
            file: PublicFile(
                title: "the file",
                url: server.url,
                cachePath: "some/file",
                sha256: hash,
                byteCount: content.count
            ),
            cacheFolder: folder("cache"),
            tool: .init(protocols: "=http", stallSeconds: 1, pause: 0)
        )
    }

    /// Downloads from a server that gives these answers. Returns the result, and the first byte of each requested
    /// range.
    private func download(
        _ answers: [LocalServer.Answer],
        of content: [UInt8]? = nil,
        partial: [UInt8]? = nil
    ) throws -> (result: Result<String, any Error>, requests: [Int]) {
        let server = try LocalServer(content ?? self.content, answers: answers)
        defer { server.stop() }
        let file = download(from: server)
        if let partial {
            try FileSystem.createFolder(folder("cache/some"))
            try AtomicFile.write(partial, to: path + ".part")
        }
        let result = Result { try file.locate { _ in } }
        return (result, server.requests)
    }

    private func expectWhole(_ result: Result<String, any Error>) throws {
        #expect(try result.get() == path)
        #expect(try FileSystem.read(path) == content)
        #expect(try FileSystem.names(inFolder: folder("cache/some")) == ["file"])
    }

    @Test("a download whose connection breaks repeatedly continues where it stopped")
    func cuts() throws {
        let (result, requests) = try download([.cut(after: 50_000), .cut(after: 1), .cut(after: 100_000)])
        try expectWhole(result)
        #expect(requests == [0, 50_000, 50_001, 150_001])
    }

    @Test("a stalled transfer is ended, and a new request asks for the rest")
    func stall() throws {
        let (result, requests) = try download([.stall(after: 70_000)])
        try expectWhole(result)
        #expect(requests == [0, 70_000])
    }

    @Test("two simultaneous downloads of a file transfer it once")
    func twoAtOnce() throws {
        // The server stalls for a second, in which the other download starts.
        let server = try LocalServer(content, answers: [.stall(after: 70_000)])
        defer { server.stop() }
        let file = download(from: server)
        var results: [Result<String, any Error>?] = [nil, nil]
        results.withUnsafeMutableBufferPointer { results in
            WorkerPool(threadCount: 2).run(2) { task, _ in
                results[task] = Result { try file.locate { _ in } }
            }
        }
        for result in results { try expectWhole(try #require(result)) }
        #expect(server.requests == [0, 70_000])
    }

    @Test("a download continues from the partial file of an earlier run")
    func earlierRun() throws {
        let (result, requests) = try download([], partial: Array(content[..<123_456]))
        try expectWhole(result)
        #expect(requests == [123_456])
    }

    @Test("if the server ignores ranges, the file is downloaded from its start")
    func noRanges() throws {
        let (result, requests) = try download([.cut(after: 50_000), .ignoringRange, .good])
        try expectWhole(result)
        #expect(requests == [0, 50_000, 0])
    }

    @Test("a busy server is retried, and a download without progress fails but keeps its partial file")
    func busy() throws {
        let (result, _) = try download([.status(503), .good])
        try expectWhole(result)
        try FileSystem.remove(path)
        let answers = [LocalServer.Answer.cut(after: 9000)] + (0..<20).map { _ in .cut(after: 0) }
        let error = #expect(throws: UserError.self) { try download(answers).result.get() }
        #expect(error?.kind == .inputOutput)
        #expect(error?.message.hasPrefix("cannot download http://127.0.0.1:") == true, "\(String(describing: error))")
        #expect(error?.message.contains("or pass its path with --from PATH") == true)
        #expect(try FileSystem.size(ofFile: path + ".part") == 9000)
    }

    @Test("a missing file fails without retries")
    func absent() throws {
        let (result, requests) = try download([.status(404)])
        #expect(throws: UserError.self) { try result.get() }
        #expect(requests == [0])
    }

    @Test("a file with another hash is refused and removed, and a stale partial file is replaced")
    func wrongHash() throws {
        var other = content
        other[100] ^= 1
        let error = #expect(throws: UserError.self) { try download([], of: other).result.get() }
        #expect(error?.kind == .data)
        #expect(error?.message.contains("expected \(hash)") == true)
        #expect(try FileSystem.names(inFolder: folder("cache/some")).isEmpty)
        let (result, requests) = try download([], partial: Array(other[..<60_000]))
        try expectWhole(result)
        #expect(requests == [60_000, 0])
    }
}
