import Datasets
import Platform

/// A public file that is downloaded once, verified with its hash, and kept in the cache folder.
struct PublicFile: Sendable {
    /// The name of the file in messages.
    var title: String
    var url: String
    /// The path relative to the cache folder. A file that the user puts there is used if its hash is right.
    var cachePath: String
    /// The expected hash, or nil if the hash comes from `pointerURL`.
    var sha256: String?
    /// The size in bytes. It is approximate if the hash and the exact size come from `pointerURL`.
    var byteCount: Int
    /// The option that takes the path of a copy.
    var option = "--from"

    /// GPT-2's merges, published by OpenAI.
    static let gpt2Merges = PublicFile(
        title: "GPT-2's vocab.bpe",
        url: "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/vocab.bpe",
        cachePath: "gpt2/vocab.bpe",
        sha256: "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
        byteCount: 456_318,
        option: "--tokenizer"
    )

    /// The text of nanoGPT's shakespeare datasets, from the char-rnn repository.
    static let tinyShakespeare = PublicFile(
        title: "tiny shakespeare",
        url: "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        cachePath: "tinyshakespeare/input.txt",
        sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        byteCount: 1_115_394
    )

    /// The corpus in its authors' archive (Zenodo record 3834942).
    static let openWebText = PublicFile(
        title: "OpenWebText",
        url: "https://zenodo.org/records/3834942/files/openwebtext.tar.xz",
        cachePath: "openwebtext/openwebtext.tar.xz",
        sha256: "9fe39d154c5bc67da8c359415372b79510eb1e2edb0d035fe4f7fc3a732b9336",
        byteCount: 12_880_189_440
    )

    /// The stories of TinyStories that GPT-4 wrote.
    static func tinyStories(_ split: Dataset.Split) -> PublicFile {
        let isTrain = split == .train
        return .onHuggingFace(
            "datasets/roneneldan/TinyStories",
            revision: "main",
            name: "TinyStoriesV2-GPT4-\(isTrain ? "train" : "valid").txt",
            folder: "tinystories",
            byteCount: isTrain ? 2_230_000_000 : 22_500_000
        )
    }

    /// A shard of a sample of FineWeb, with 100 million tokens of GPT-2.
    ///
    /// - Parameter index: The number of the shard: 1 to `NamedDataset.fineWebShards` for training, 0 for validation.
    static func fineWeb(_ split: Dataset.Split, _ index: Int = 0) -> PublicFile {
        .onHuggingFace(
            "datasets/kjj0/fineweb10B-gpt2",
            revision: "main",
            name: "fineweb_\(split.rawValue)_\(String(index).zeroPadded(to: 6)).bin",
            folder: "fineweb",
            byteCount: 200_001_024
        )
    }

    /// - Parameter repository: The owner and name of the repository, with `datasets/` before those of a dataset.
    static func onHuggingFace(
        _ repository: String,
        revision: String,
        name: String,
        folder: String,
        byteCount: Int
    ) -> PublicFile {
        PublicFile(
            title: name,
            url: "https://huggingface.co/\(repository)/resolve/\(revision)/\(name)",
            cachePath: "\(folder)/\(name)",
            sha256: nil,
            byteCount: byteCount
        )
    }

    /// Returns the path of the file in a folder that the user passes instead of a download.
    func path(inCopy folder: String) -> String { folder + "/" + FileSystem.lastComponent(of: cachePath) }

    /// The URL of the file's Git LFS pointer on Hugging Face, which has the hash and the size of the file.
    var pointerURL: String { url.replacing("/resolve/", with: "/raw/") }

    /// Parses a Git LFS pointer, which has the lines `oid sha256:…` and `size …`.
    static func pointer(_ text: String) -> (sha256: String, byteCount: Int)? {
        var (hash, size): (String?, Int?) = (nil, nil)
        for line in text.split(separator: "\n") {
            if line.hasPrefix("oid sha256:") { hash = String(line.dropFirst("oid sha256:".count)) }
            if line.hasPrefix("size ") { size = Int(line.dropFirst("size ".count)) }
        }
        guard let hash, let size, hash.count == 64, hash.allSatisfy(\.isHexDigit) else { return nil }
        return (hash, size)
    }
}
