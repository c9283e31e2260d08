import Datasets
import Formats
import Platform
import Tokenizers

/// OpenAI's GPT-2 in its four sizes, as Hugging Face keeps them.
public enum PublishedModel: String, CaseIterable, Sendable {
    /// 124 million parameters.
    case small = "gpt2"
    /// 355 million.
    case medium = "gpt2-medium"
    /// 774 million.
    case large = "gpt2-large"
    /// 1558 million.
    case extraLarge = "gpt2-xl"

    /// Blocks, heads of each, and the width of the residual stream.
    public var shape: (layers: Int, heads: Int, width: Int) {
        switch self {
        case .small: (12, 12, 768)
        case .medium: (24, 16, 1024)
        case .large: (36, 20, 1280)
        case .extraLarge: (48, 25, 1600)
        }
    }

    /// Positions of each.
    public static let blockSize = 1024

    /// The weights; their hash and size the publisher is asked for.
    var weights: PublicFile {
        let byteCount =
            switch self {
            case .small: 548_105_171
            case .medium: 1_519_984_962
            case .large: 3_247_159_078
            case .extraLarge: 6_431_829_964
            }
        return .onHuggingFace(
            "openai-community/\(rawValue)",
            revision: "main",
            name: "model.safetensors",
            folder: "models/\(rawValue)",
            byteCount: byteCount
        )
    }

    /// A folder with the model: of the cache, where what is missing is downloaded to.
    ///
    /// - Parameters:
    ///   - cacheFolder: nil for `CacheFolder.path()`.
    ///   - announce: told what is downloaded, before it is.
    ///   - progress: called with the bytes that have arrived.
    /// - Throws: `UserError`: `.usage` when there is no room on the disk, `.data` when a file has another hash,
    ///   `.inputOutput` when it cannot be downloaded.
    public func locate(
        cacheFolder: String? = nil,
        announce: (String) -> Void,
        progress: (PreparationProgress) -> Void
    ) throws -> String {
        let cache = try cacheFolder ?? CacheFolder.path()
        return try locate(Download(file: weights, cacheFolder: cache), announce: announce, progress: progress)
    }

    func locate(
        _ download: Download,
        announce: (String) -> Void,
        progress: (PreparationProgress) -> Void
    ) throws -> String {
        let missing = download.missingBytes
        if missing > 0 {
            announce(
                """
                \(rawValue): \(ByteCount.text(missing)) to download to \(download.cacheFolder); interrupted, the same command \
                goes on where it stopped
                """
            )
            try DiskSpace.check([(download.cacheFolder, missing)], of: rawValue, options: CacheFolder.variable)
        }
        let path = try download.locate { bytes in
            progress(.init(stage: .downloading, doneBytes: bytes, totalBytes: download.file.byteCount))
        }
        let folder = FileSystem.folder(of: path)
        if FileSystem.kind(of: folder + "/config.json") == nil {
            try AtomicFile.write(description, to: folder + "/config.json")
        }
        if FileSystem.kind(of: folder + "/" + TokenizerFile.name) == nil {
            do {
                let tokenizer = try TokenizerSource.gpt2.open(cacheFolder: download.cacheFolder)
                try TokenizerFile.save(tokenizer, folder: folder)
            } catch let error as UserError {
                // The weights are of use without it.
                announce("\(rawValue) has no tokenizer: \(error.message)")
            }
        }
        return folder
    }

    /// What the publisher's config.json says, as far as it differs from one of these models to another or from what
    /// is the rule.
    private var description: String {
        JSONValue.object([
            .init("model_type", .string("gpt2")),
            .init("vocab_size", .integer(Dataset.gpt2VocabularySize)),
            .init("n_positions", .integer(Self.blockSize)),
            .init("n_layer", .integer(shape.layers)),
            .init("n_head", .integer(shape.heads)),
            .init("n_embd", .integer(shape.width)),
            .init("activation_function", .string("gelu_new")),
            .init("layer_norm_epsilon", .number(1e-5)),
        ]).text(pretty: true)
    }
}
