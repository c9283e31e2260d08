import Formats
import Platform

/// Reads and writes Hugging Face `tokenizer.json` files, which the Python packages `tokenizers` and `transformers`
/// load.
///
/// All kinds of tokenizers are written as a BPE model:
/// - `char` has a vocabulary of single scalars and no merges.
/// - `byte` uses GPT-2's byte-level encoding without merges. The id of a byte is the byte.
/// - `bpe` has the form of GPT-2's own file, whose pre-tokenizer splits the text.
public enum TokenizerFile {
    /// The file name: `tokenizer.json`. Every dataset, checkpoint and Hugging Face folder has such a file.
    public static let name = "tokenizer.json"

    /// Writes `folder/tokenizer.json`.
    ///
    /// If the end-of-text token is not `<|endoftext|>`, also writes `tokenizer_config.json`, because tokenizer.json
    /// cannot name an end-of-text token.
    ///
    /// - Throws: `UserError(.inputOutput)` if a file cannot be written.
    public static func save(_ tokenizer: any Tokenizer, folder: String) throws {
        try AtomicFile.write(text(of: tokenizer), to: folder + "/" + name)
        guard let end = tokenizer.endOfTextName, end != BytePairVocabulary.endOfTextContent else { return }
        let settings = JSONValue.object([.init("eos_token", .string(end))])
        try AtomicFile.write(settings.text(pretty: true), to: folder + "/" + TokenizerSettings.fileName)
    }

    /// The file name `tokenizer_config.json`. Hugging Face folders have this file, and so do datasets whose end-of-text
    /// token is not `<|endoftext|>`.
    public static let settingsName = TokenizerSettings.fileName

    /// Reads `folder/tokenizer.json` and the settings that Hugging Face transformers keeps in the same folder.
    ///
    /// - Parameters:
    ///   - folder: The folder with the files.
    ///   - notice: Called with a message for each setting that is ignored.
    /// - Throws: `UserError(.inputOutput)` if a file cannot be read, `UserError(.data)` if the tokenizer is not
    ///   supported.
    public static func load(folder: String, notice: (String) -> Void = { _ in }) throws -> any Tokenizer {
        try load(path: folder + "/" + name, notice: notice)
    }

    /// Reads a file in the format of `tokenizer.json` that may have another name.
    ///
    /// - Throws: like `load(folder:)`.
    static func load(path: String, notice: (String) -> Void) throws -> any Tokenizer {
        let file = try JSONValue(ofFile: path)
        return try UnusableTokenizer.naming(path) {
            // A folder may hold several tokenizers under other names. The settings belong to tokenizer.json.
            let hasSettings = FileSystem.lastComponent(of: path) == name
            let settings =
                hasSettings ? try TokenizerSettings(folder: FileSystem.folder(of: path)) : TokenizerSettings()
            return try tokenizer(from: file, settings: settings) { notice("the tokenizer \(path): \($0)") }
        }
    }

    /// Returns the SHA-256 of the text of the tokenizer's tokenizer.json. Equal tokenizers have equal hashes.
    public static func hash(of tokenizer: any Tokenizer) -> String {
        Checksum.sha256(of: text(of: tokenizer))
    }
}

extension UnusableTokenizer {
    /// Runs `body` and turns an `UnusableTokenizer` error into a `UserError(.data)` that names the file.
    ///
    /// - Throws: `UserError(.data)`, and the other errors of `body`.
    static func naming<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let unusable as UnusableTokenizer {
            throw UserError(.data, "cannot use the tokenizer \(path): \(unusable.reason)")
        }
    }
}
