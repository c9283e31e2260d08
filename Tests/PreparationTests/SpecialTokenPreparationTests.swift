import Formats
import Platform
import TestSupport
import Testing

@testable import Datasets
@testable import Preparation
@testable import Tokenizers

@Suite("Special tokens in prepared text")
struct SpecialTokenPreparationTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func request(_ text: String, tokenizer: String, recognizes: Bool = false) throws -> PreparationRequest {
        try AtomicFile.write(text, to: folder("text.txt"))
        var request = PreparationRequest(
            source: .inputs([folder("text.txt")]),
            name: "mine",
            dataFolder: folder("data"),
            tokenizer: .path(tokenizer)
        )
        request.separator = "\n\n"
        request.validationShare = 0.5
        request.recognizesSpecialTokens = recognizes
        request.overwrite = true
        return request
    }

    private func ids(_ request: PreparationRequest) throws -> [Int32] {
        _ = try DataPreparation.run(request)
        let dataset = try Dataset.open(folder: folder("data"), name: "mine")
        return try [dataset.train, dataset.validation].flatMap { sequence in
            var tokens = [Int32](repeating: -1, count: sequence.count)
            try tokens.withUnsafeMutableBufferPointer {
                try sequence.copy(from: 0, count: $0.count, into: $0.baseAddress!)
            }
            return tokens
        }
    }

    private static let documents = (0..<20).map { "document \($0)" }.joined(separator: "\n\n")

    @Test("an end-of-text token with another name ends documents, and the dataset's tokenizer keeps it")
    func endOfText() throws {
        let request = try request(Self.documents, tokenizer: Fixtures.path("cases/data/d11-eos"))
        #expect(try ids(request).filter { $0 == 256 }.count == 20)
        let dataset = try Dataset.open(folder: folder("data"), name: "mine")
        #expect(dataset.endOfText == 256)
        #expect(dataset.tokenizer?.endOfText == 256)
        // A dataset with a tokenizer_config.json can be replaced like any other.
        #expect(try FileSystem.names(inFolder: folder("data/mine")).contains("tokenizer_config.json"))
        #expect(try ids(request).count > 20)
    }

    @Test("special tokens in text are recognized only on request, and dataset.json records the request")
    func specialTokens() throws {
        let text = Self.documents.replacing("document", with: "a</s>")
        for recognizes in [false, true] {
            let request = try request(text, tokenizer: Fixtures.path("cases/data/d11-eos"), recognizes: recognizes)
            #expect(try ids(request).filter { $0 == 256 }.count == (recognizes ? 40 : 20))
            let description = try DatasetDescription(path: folder("data/mine/dataset.json"))
            #expect(description.recognizesSpecialTokens == recognizes)
            #expect(description.text.contains("special_tokens") == recognizes)
            #expect(description.text.utf8.elementsEqual(try FileSystem.read(folder("data/mine/dataset.json"))))
        }
    }

    @Test("a request to recognize special tokens is refused if the tokenizer has none")
    func none() throws {
        for tokenizer in [TokenizerSource.byte, .char] {
            var request = try request(Self.documents, tokenizer: "", recognizes: true)
            request.tokenizer = tokenizer
            let error = #expect(throws: UserError.self) { try DataPreparation.run(request) }
            #expect(error?.kind == .usage)
            #expect(error?.message.hasPrefix("--special_tokens: the tokenizer (") == true, "\(error?.message ?? "")")
        }
    }

    @Test("a preparation does not continue with another setting for special tokens or another end-of-text token")
    func settings() throws {
        func settings(_ tokenizer: String, recognizes: Bool) throws -> String {
            let request = try request(Self.documents, tokenizer: tokenizer, recognizes: recognizes)
            let corpus = try DataPreparation(request: request, cacheFolder: nil, progress: { _ in }).corpus()
            let plan = try PreparationPlan(request: request, corpus: corpus, cacheFolder: nil, progress: { _ in })
            return try plan.settings(shardSize: 100)
        }
        let d11 = Fixtures.path("cases/data/d11-eos")
        try FileSystem.createFolder(folder("other"))
        try AtomicFile.write(FileSystem.read(d11 + "/tokenizer.json"), to: folder("other/tokenizer.json"))
        let all = [
            try settings(d11, recognizes: false), try settings(d11, recognizes: true),
            try settings(folder("other"), recognizes: false),
        ]
        #expect(Set(all).count == 3)
    }

    @Test("a long text is not cut within an added token, so its pieces have the ids of the whole text")
    func longText() throws {
        let text = String(repeating: "the harbour office. harbour harbour", count: 80_000)
        var request = try request(text, tokenizer: Fixtures.path("cases/data/d5-added"))
        request.separator = nil
        request.validationShare = nil
        let tokenizer = try #require(try TokenizerFile.open(Fixtures.path("cases/data/d5-added")) as? BytePairTokenizer)
        // The first 90 % of the characters are for training.
        let border = text.utf8.count * 9 / 10
        let bytes = Array(text.utf8)
        let expected = try tokenizer.encode(Array(bytes[..<border])) + tokenizer.encode(Array(bytes[border...]))
        #expect(try ids(request) == expected)
    }
}
