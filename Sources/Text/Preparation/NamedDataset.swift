/// The data sets that `prepare` makes by name.
public enum NamedDataset: String, CaseIterable, Sendable {
    case shakespeareChar = "shakespeare_char"
    case demo
}

/// A public file that is downloaded once, checked by its hash, and kept in the cache folder.
struct PublicFile: Sendable {
    /// What messages call it.
    var title: String
    var url: String
    /// Below the cache folder; a file put there by hand is used when its hash is right.
    var cachePath: String
    var sha256: String
    var byteCount: Int
    /// The option that names a copy.
    var option = "--from"

    /// The text of nanoGPT's shakespeare data sets, from the char-rnn repository.
    static let tinyShakespeare = PublicFile(
        title: "tiny shakespeare",
        url: "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        cachePath: "tinyshakespeare/input.txt",
        sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        byteCount: 1_115_394
    )

    /// GPT-2's merges, from OpenAI.
    static let gpt2Merges = PublicFile(
        title: "GPT-2's vocab.bpe",
        url: "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/vocab.bpe",
        cachePath: "gpt2/vocab.bpe",
        sha256: "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
        byteCount: 456_318,
        option: "--tokenizer"
    )
}
