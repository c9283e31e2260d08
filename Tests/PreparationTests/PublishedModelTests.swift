import Formats
import Platform
import TestSupport
import Testing

@testable import Preparation

@Suite("Published GPT-2 models", .enabled(if: NamedDatasetTests.hasCurl))
struct PublishedModelTests {
    @Test("a model is downloaded despite faults, its size is announced first, and a second call downloads nothing")
    func download() throws {
        let folder = try TemporaryFolder()
        let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / 251) }
        let server = try LocalServer(content, answers: [.cut(after: 30_000), .status(503)])
        defer { server.stop() }
        var file = PublishedModel.medium.weights
        file.url = server.url
        file.byteCount = content.count
        // The file with the hash, as if it had been downloaded from the publisher.
        try FileSystem.createFolder(folder("cache/models/gpt2-medium"))
        let hash = content.withUnsafeBytes { Checksum.sha256(of: $0) }
        let kept = folder("cache/models/gpt2-medium/model.safetensors.sha256")
        try AtomicFile.write("oid sha256:\(hash)\nsize \(content.count)\n", to: kept)
        // An invalid vocabulary in the cache, so that GPT-2's is not downloaded.
        try FileSystem.createFolder(folder("cache/gpt2"))
        try AtomicFile.write("none", to: folder("cache/gpt2/vocab.bpe"))
        let download = Download(
            file: file,
            cacheFolder: folder("cache"),
            tool: .init(protocols: "=http", stallSeconds: 1, pause: 0)
        )
        var said: [String] = []
        var bytes: [Int] = []
        func locate() throws -> String {
            try PublishedModel.medium.locate(download) {
                said.append($0)
            } progress: {
                bytes.append($0.doneBytes)
            }
        }
        let path = try locate()
        #expect(path == folder("cache/models/gpt2-medium"))
        #expect(try FileSystem.read(path + "/model.safetensors") == content)
        let start = "gpt2-medium: 0.1 MB to download to \(folder("cache")); if interrupted, run the same command again"
        #expect(said.first?.hasPrefix(start) == true, "\(said)")
        #expect(said.last?.hasPrefix("gpt2-medium has no tokenizer: ") == true, "\(said)")
        #expect(server.requests == [0, 30_000, 30_000])
        #expect(!bytes.isEmpty)
        let description = try JSONValue(ofFile: path + "/config.json")
        #expect(description["n_layer"] == .integer(24) && description["n_embd"] == .integer(1024))
        _ = try locate()
        #expect(server.requests.count == 3)
    }

    @Test("the URLs of the weights and of their hash are those of Hugging Face")
    func place() {
        for model in PublishedModel.allCases {
            let name = model.rawValue
            let base = "https://huggingface.co/openai-community/\(name)"
            #expect(model.weights.url == base + "/resolve/main/model.safetensors")
            #expect(model.weights.pointerURL == base + "/raw/main/model.safetensors")
        }
    }
}
