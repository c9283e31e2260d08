import Formats
import Platform

/// Tokenizers as Hugging Face `tokenizer.json` files, which PyPI's `tokenizers` and `transformers` load.
///
/// All kinds are a BPE model. `char` has a vocabulary of single scalars and no merges; `byte` has GPT-2's byte level
/// and no merges, and the id of a byte is the byte; `bpe` is as GPT-2's own, whose pre-tokenizer splits the text.
public enum TokenizerFile {
    /// In every dataset and checkpoint, and in Hugging Face's folders.
    public static let name = "tokenizer.json"

    /// Writes `folder/tokenizer.json`.
    ///
    /// - Throws: `UserError(.inputOutput)`.
    public static func save(_ tokenizer: any Tokenizer, folder: String) throws {
        try AtomicFile.write(text(of: tokenizer), to: folder + "/" + name)
    }

    /// Reads `folder/tokenizer.json`.
    ///
    /// - Throws: `UserError(.inputOutput)` when it cannot be read, `UserError(.data)` when it is no tokenizer of a
    ///   known kind.
    public static func load(folder: String) throws -> any Tokenizer {
        try load(path: folder + "/" + name)
    }

    /// Reads a file in the form of `tokenizer.json`, whatever its name.
    ///
    /// - Throws: as `load(folder:)`.
    static func load(path: String) throws -> any Tokenizer {
        let file = try JSONValue(ofFile: path)
        return try UnusableTokenizer.naming(path) { try tokenizer(from: file) }
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
