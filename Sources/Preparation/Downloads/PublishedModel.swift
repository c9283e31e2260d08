import Datasets
import Formats
import Platform
import Tokenizers

/// The four sizes of OpenAI's GPT-2, published on Hugging Face.
public enum PublishedModel: String, CaseIterable, Sendable {
    /// 124 million parameters.
    case small = "gpt2"
    /// 355 million parameters.
    case medium = "gpt2-medium"
    /// 774 million parameters.
    case large = "gpt2-large"
    /// 1558 million parameters.
    case extraLarge = "gpt2-xl"

    /// The number of layers, the number of attention heads per layer, and the width of the residual stream.
    public var shape: (layers: Int, heads: Int, width: Int) {
        switch self {
        case .small: (12, 12, 768)
        case .medium: (24, 16, 1024)
        case .large: (36, 20, 1280)
        case .extraLarge: (48, 25, 1600)
        }
    }

    /// The number of positions, which is the same for all sizes.
    public static let blockSize = 1024

    /// The file with the weights. Its hash and exact size come from the publisher.
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

    /// Returns the path of a folder in the cache folder with the weights, config.json and the tokenizer. Downloads
    /// missing files.
    ///
    /// - Parameters:
    ///   - cacheFolder: The folder for downloads, or nil for `CacheFolder.path()`.
    ///   - announce: Called with a message about the size before a download, and if the tokenizer cannot be downloaded.
    ///   - progress: Called with the number of bytes downloaded so far.
    /// - Throws: `UserError(.usage)` if there is too little disk space, `UserError(.data)` if a file has another hash,
    ///   `UserError(.inputOutput)` if a file cannot be downloaded.
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
                \(rawValue): \(ByteCount.text(missing)) to download to \(download.cacheFolder); if interrupted, run the same \
                command again to continue
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
                // The weights can be used without a tokenizer.
                announce("\(rawValue) has no tokenizer: \(error.message)")
            }
        }
        return folder
    }

    /// The members of the publisher's config.json that differ between the four sizes or from the defaults of the
    /// format.
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
