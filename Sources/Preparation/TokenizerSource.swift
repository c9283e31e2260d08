import Platform
import Tokenizers

/// The source of a tokenizer: the value of `--tokenizer`.
public enum TokenizerSource: Equatable, Sendable {
    /// GPT-2's vocabulary, from the cache folder or a download.
    case gpt2
    /// A character tokenizer for the characters of the text.
    case char
    case byte
    /// A file or folder with a tokenizer.
    case path(String)

    /// Parses `gpt2`, `char` or `byte`. Any other text is a path. For a file or folder with one of these names, write
    /// `./gpt2`.
    public init(_ text: String) {
        switch text {
        case "gpt2": self = .gpt2
        case "char": self = .char
        case "byte": self = .byte
        default: self = .path(text)
        }
    }

    /// Loads the tokenizer. A path is opened with `TokenizerFile.open(_:notice:)`.
    ///
    /// - Parameters:
    ///   - text: The text whose characters a `char` tokenizer uses.
    ///   - cacheFolder: The folder for downloads, or nil for `CacheFolder.path()`.
    ///   - progress: Called with the number of bytes downloaded so far.
    ///   - notice: Called with a message for each assumption about a file and for each setting that is ignored.
    /// - Throws: `UserError(.usage)` for `char` without a text, `UserError(.data)` if the file is not a usable
    ///   tokenizer, `UserError(.inputOutput)` if a file cannot be read or downloaded.
    public func open(
        text: [UInt8]? = nil,
        cacheFolder: String? = nil,
        progress: (_ bytes: Int) -> Void = { _ in },
        notice: (String) -> Void = { _ in }
    ) throws -> any Tokenizer {
        switch self {
        case .gpt2:
            let download = Download(file: .gpt2Merges, cacheFolder: try cacheFolder ?? CacheFolder.path())
            return try TokenizerFile.merges(download.locate(progress: progress))
        case .char:
            guard let text else {
                throw UserError(.usage, "tokenizer=char takes its characters from a text, but no text was given")
            }
            var survey = CharacterSurvey()
            try text.withUnsafeBytes { try survey.add($0, source: "the text") }
            return CharacterTokenizer(scalars: survey.scalars)
        case .byte: return ByteTokenizer()
        case .path(let path):
            guard FileSystem.kind(of: path) != nil else {
                throw UserError(
                    .inputOutput,
                    "tokenizer=\(path): no such file or folder; built-in tokenizers are gpt2, byte and char"
                )
            }
            return try TokenizerFile.open(path, notice: notice)
        }
    }
}
