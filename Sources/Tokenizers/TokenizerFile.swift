import Formats
import Platform

/// Tokenizers as Hugging Face `tokenizer.json` files, which PyPI's `tokenizers` and `transformers` load.
///
/// All kinds are a BPE model. `char` has a vocabulary of single scalars and no merges; `byte` has GPT-2's byte level
/// and no merges, and the id of a byte is the byte; `bpe` is as GPT-2's own, whose pre-tokenizer splits the text.
public enum TokenizerFile {
    /// In every dataset and checkpoint, and in Hugging Face's folders.
    public static let name = "tokenizer.json"

    /// Writes `folder/tokenizer.json`; and `tokenizer_config.json` where another token than `<|endoftext|>` ends a text, which
    /// the first cannot say.
    ///
    /// - Throws: `UserError(.inputOutput)`.
    public static func save(_ tokenizer: any Tokenizer, folder: String) throws {
        try AtomicFile.write(text(of: tokenizer), to: folder + "/" + name)
        guard let end = tokenizer.endOfTextName, end != BytePairVocabulary.endOfTextContent else { return }
        let settings = JSONValue.object([.init("eos_token", .string(end))])
        try AtomicFile.write(settings.text(pretty: true), to: folder + "/" + TokenizerSettings.fileName)
    }

    /// Beside `tokenizer.json` in Hugging Face's folders, and in datasets that need it.
    public static let settingsName = TokenizerSettings.fileName

    /// Reads `folder/tokenizer.json`, and what the files of transformers beside it say about it.
    ///
    /// - Parameter notice: is told what of the files is passed over.
    /// - Throws: `UserError(.inputOutput)` when it cannot be read, `UserError(.data)` when it is no tokenizer of a
    ///   known kind.
    public static func load(folder: String, notice: (String) -> Void = { _ in }) throws -> any Tokenizer {
        try load(path: folder + "/" + name, notice: notice)
    }

    /// Reads a file in the form of `tokenizer.json`, whatever its name.
    ///
    /// - Throws: as `load(folder:)`.
    static func load(path: String, notice: (String) -> Void) throws -> any Tokenizer {
        let file = try JSONValue(ofFile: path)
        return try UnusableTokenizer.naming(path) {
            // Another name may be one of many tokenizers in the folder.
            let hasSettings = FileSystem.lastComponent(of: path) == name
            let settings =
                hasSettings ? try TokenizerSettings(folder: FileSystem.folder(of: path)) : TokenizerSettings()
            return try tokenizer(from: file, settings: settings) { notice("the tokenizer \(path): \($0)") }
        }
    }

    /// SHA-256 of the tokenizer's file: the same for equal tokenizers, wherever they are kept.
    public static func hash(of tokenizer: any Tokenizer) -> String {
        Checksum.sha256(of: text(of: tokenizer))
    }
}

extension UnusableTokenizer {
    /// Turns an error within into one that names the file.
    ///
    /// - Throws: `UserError(.data)`.
    static func naming<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let unusable as UnusableTokenizer {
            throw UserError(.data, "cannot use the tokenizer \(path): \(unusable.reason)")
        }
    }
}
