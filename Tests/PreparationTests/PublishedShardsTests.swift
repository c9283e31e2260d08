import Formats
import Foundation
import Platform
import TestSupport
import Testing

@testable import Datasets
@testable import Preparation
@testable import Tokenizers

/// `prepare fineweb` with small shards that replace the published ones.
@Suite("Published shards")
struct PublishedShardsTests {
    let folder: TemporaryFolder
    private let names = ["fineweb_val_000000.bin"] + (1...3).map { "fineweb_train_00000\($0).bin" }

    init() throws {
        folder = try TemporaryFolder()
        try FileSystem.createFolder(folder("copy"))
        for (index, name) in names.enumerated() { try AtomicFile.write(shard(index), to: folder("copy/\(name)")) }
        // A vocabulary with as many tokens as GPT-2's: pairs and triples of letters, which GPT-2's pattern does not
        // split.
        let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        let pairs = letters.flatMap { first in letters.map { "\(first)\($0)" } }
        let merges =
            pairs.map { "\($0.prefix(1)) \($0.suffix(1))\n" }
            + pairs.flatMap { pair in letters.map { "\(pair) \($0)\n" } }
        try AtomicFile.write("#version: 0.2\n" + merges.prefix(50_000).joined(), to: folder("merges.txt"))
    }

    /// Returns 100 + `index` tokens.
    private func tokens(_ index: Int) -> [UInt16] { (0..<100 + index).map { UInt16(500 * index + $0) } }

    private func shard(_ index: Int) -> [UInt8] {
        let header: [Int32] = [20_240_520, 1, Int32(tokens(index).count)] + Array(repeating: 0, count: 253)
        return header.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
            + tokens(index).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    }

    private func request(copy: String?) -> PreparationRequest {
        var request = PreparationRequest(.fineweb, copy: copy, dataFolder: folder("data"))
        request.tokenizer = .path(folder("merges.txt"))
        return request
    }

    private func expect(shards: Int) throws {
        let dataset = try Dataset.open(folder: folder("data"), name: "fineweb")
        #expect(dataset.vocabularySize == 50257)
        #expect(dataset.endOfText == 50256)
        var ids = [Int32](repeating: -1, count: dataset.train.count)
        try ids.withUnsafeMutableBufferPointer {
            try dataset.train.copy(from: 0, count: $0.count, into: $0.baseAddress!)
        }
        #expect(ids == (1...shards).flatMap { tokens($0).map { Int32($0) } })
        #expect(dataset.validation.count == 100)
    }

    private func links(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.referenceCount] as? Int
    }

    @Test("the shards of a local copy are linked: as many as requested, or all that exist")
    func copy() throws {
        var request = request(copy: folder("copy"))
        request.publishedShards = 4
        let error = #expect(throws: UserError.self) { try DataPreparation.run(request, cacheFolder: folder("cache")) }
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("copy/fineweb_train_000004.bin is missing; --from must be the folder") == true)
        try FileSystem.remove(folder("copy/\(names[2])"))
        request.publishedShards = nil
        let result = try DataPreparation.run(request, cacheFolder: folder("cache"))
        #expect(result.trainTokens == 101)
        #expect(result.validationTokens == 100)
        #expect(FileSystem.kind(of: folder("cache")) == nil)
        // The tokens take disk space once, and remain if the dataset is removed.
        #expect(try links(folder("copy/\(names[1])")) == 2)
        try expect(shards: 1)
        try FileSystem.remove(result.path)
        #expect(try FileSystem.read(folder("copy/\(names[1])")) == shard(1))
    }

    @Test("a truncated shard, a shard without a header and another tokenizer are refused, and no files are left")
    func refused() throws {
        for (bytes, text) in [
            (shard(1).dropLast(2), "its header says 101 tokens"),
            (shard(1).dropFirst(1024), "is uint16 without a header"),
        ] {
            try AtomicFile.write(Array(bytes), to: folder("copy/\(names[1])"))
            let error = #expect(throws: UserError.self) {
                try DataPreparation.run(request(copy: folder("copy")), cacheFolder: folder("cache"))
            }
            #expect(error?.kind == .data)
            #expect(error?.message.contains("\(names[1]) ") == true)
            #expect(error?.message.contains(text) == true, "\(String(describing: error))")
        }
        var other = request(copy: folder("copy"))
        other.tokenizer = .path(Fixtures.path("bytepair/small.tiktoken"))
        let error = #expect(throws: UserError.self) { try DataPreparation.run(other, cacheFolder: folder("cache")) }
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("published as GPT-2 tokens; remove --tokenizer") == true)
        #expect(FileSystem.kind(of: folder("data")) == nil)
    }

    @Test(
        "shards are downloaded, continued by range, verified with the publisher's hash, and linked from the cache",
        .enabled(if: NamedDatasetTests.hasCurl)
    )
    func download() throws {
        let server = try LocalServer(shard(1), answers: [.cut(after: 1100), .cut(after: 0), .ignoringRange])
        defer { server.stop() }
        // The URL of a file contains /resolve/, and the URL of its hash contains /raw/ instead.
        for (kind, index) in [("val", 0), ("train", 2)] {
            for side in ["raw", "resolve"] { try FileSystem.createFolder(folder("web/\(side)")) }
            try AtomicFile.write(shard(index), to: folder("web/resolve/\(kind)"))
            let hash = shard(index).withUnsafeBytes { Checksum.sha256(of: $0) }
            let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:\(hash)\nsize \(shard(index).count)\n"
            try AtomicFile.write(pointer, to: folder("web/raw/\(kind)"))
        }
        var files = Array(NamedDataset.fineweb.files[..<4])
        files[0].url = "file://" + folder("web/resolve/val")
        files[1].url = server.url
        files[1].sha256 = shard(1).withUnsafeBytes { Checksum.sha256(of: $0) }
        files[1].byteCount = shard(1).count
        files[2].url = "file://" + folder("web/resolve/train")
        files[3].url = "file:///nowhere"
        var request = request(copy: nil)
        request.publishedShards = 2
        var announced: [String] = []
        let shards = PublishedShards(
            request: request,
            files: files,
            cacheFolder: folder("cache"),
            progress: { _ in },
            announce: { announced.append($0) },
            tool: .init(protocols: "=http,file", stallSeconds: 1, pause: 0)
        )
        let result = try shards.prepare(copy: nil, to: folder("data/fineweb"))
        #expect(result.trainTokens == 203)
        #expect(server.requests == [0, 1100, 1100, 0])
        // Two of the three files have the default size of 200 MB, and the other one is small.
        #expect(announced.count == 1)
        #expect(
            announced.first?.hasPrefix("fineweb: 400 MB to download to \(folder("cache")), 1 min at 10 MB/s; ") == true
        )
        #expect(try links(folder("cache/fineweb/\(names[2])")) == 2)
        try expect(shards: 2)
    }

    @Test("fineweb has 1 validation shard and 103 training shards at the URLs of its publisher")
    func published() {
        let files = NamedDataset.fineweb.files
        #expect(files.count == 104)
        #expect(
            files[103].url
                == "https://huggingface.co/datasets/kjj0/fineweb10B-gpt2/resolve/main/fineweb_train_000103.bin"
        )
        #expect(files.map(\.title).prefix(2) == ["fineweb_val_000000.bin", "fineweb_train_000001.bin"])
    }
}
