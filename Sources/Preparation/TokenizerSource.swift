import Platform
import Tokenizers

/// Where a tokenizer comes from, as `--tokenizer` names it.
public enum TokenizerSource: Equatable, Sendable {
    /// GPT-2's vocabulary from the cache folder, or by download.
    case gpt2
    /// The characters of the text that is to be encoded.
    case char
    case byte
    /// A file or folder with a tokenizer.
    case path(String)

    /// `gpt2`, `char`, `byte`, or else a path; a file or folder with such a name is meant by `./gpt2`.
    public init(_ text: String) {
        switch text {
        case "gpt2": self = .gpt2
        case "char": self = .char
        case "byte": self = .byte
        default: self = .path(text)
        }
    }

    /// Loads the tokenizer: of a path as `TokenizerFile.open` does.
    ///
    /// - Parameters:
    ///   - text: what `char` takes its characters from.
    ///   - cacheFolder: where downloads are kept; nil for `CacheFolder.path()`.
    ///   - progress: called with the bytes of a download.
    ///   - notice: is told what is assumed about a file, and what of it is passed over.
    /// - Throws: `UserError`: `.usage` for `char` without a text, `.data` for what is no tokenizer, `.inputOutput` for
    ///   what cannot be read or downloaded.
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
                throw UserError(.usage, "tokenizer=char takes its characters from a text, and there is none here")
            }
            var survey = CharacterSurvey()
            try text.withUnsafeBytes { try survey.add($0, source: "the text") }
            return CharacterTokenizer(scalars: survey.scalars)
        case .byte: return ByteTokenizer()
        case .path(let path):
            guard FileSystem.kind(of: path) != nil else {
                throw UserError(
                    .inputOutput,
                    "tokenizer=\(path): there is no such file or folder, nor is it one of gpt2, byte and char"
                )
            }
            return try TokenizerFile.open(path, notice: notice)
        }
    }
}
