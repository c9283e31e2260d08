import Formats
import Platform

extension TokenizerFile {
    private static let mergesNames = ["vocab.bpe", "merges.txt"]

    /// Opens a tokenizer from a file or folder in any supported format.
    ///
    /// In a folder, the first of these files is used: tokenizer.json, vocab.bpe, merges.txt, nanoGPT's meta.pkl, the
    /// only .tiktoken file. The ids for merges.txt or vocab.bpe come from vocab.json or encoder.json in the same
    /// folder; without either, ids are in GPT-2's order. For tokenizer.json and merges.txt, the files that Hugging Face
    /// transformers keeps in the same folder define further added tokens and the end-of-text token.
    ///
    /// - Parameters:
    ///   - path: A file or a folder.
    ///   - notice: Called with a message for each assumption and for each setting that is ignored.
    /// - Throws: `UserError(.data)` if there is no usable tokenizer, `UserError(.inputOutput)` if a file cannot be
    ///   read.
    public static func open(_ path: String, notice: (String) -> Void = { _ in }) throws -> any Tokenizer {
        guard FileSystem.kind(of: path) == .folder else { return try open(file: path, notice: notice) }
        let names = try FileSystem.names(inFolder: path)
        if let file = ([name] + mergesNames + [NanoGPTMeta.fileName]).first(where: names.contains) {
            return try open(file: path + "/" + file, notice: notice)
        }
        let tiktoken = names.filter { $0.hasSuffix(".tiktoken") }
        guard tiktoken.count == 1 else {
            throw UserError(
                .data,
                """
                \(path) has no tokenizer: it contains none of \(name), vocab.bpe, merges.txt and meta.pkl, and \
                \(tiktoken.isEmpty ? "no .tiktoken file" : "more than one .tiktoken file; pass the path of one of them")
                """
            )
        }
        return try open(file: path + "/" + tiktoken[0], notice: notice)
    }

    /// Detects the format by the contents of the file, because file names vary.
    private static func open(file path: String, notice: (String) -> Void) throws -> any Tokenizer {
        let file = try MappedFile(path: path)
        let first = file.bytes.first { $0 > UInt8(ascii: " ") }
        if first == UInt8(ascii: "{") {
            let json = try JSONValue(ofFile: path)
            // A vocab.json maps names to ids only. It may have a token named "model", so that name proves nothing.
            guard json.objectValue?.allSatisfy({ $0.value.integerValue != nil }) == false else {
                throw UserError(
                    .data,
                    "\(path) has token ids but no merges; pass the merges.txt or vocab.bpe that belongs to it"
                )
            }
            return try load(path: path, notice: notice)
        }
        if path.hasSuffix(".tiktoken") { return try tiktoken(file, notice: notice) }
        if FileSystem.lastComponent(of: path) == NanoGPTMeta.fileName {
            guard let tokenizer = try NanoGPTMeta(path: path).tokenizer else {
                throw UserError(.data, "\(path) does not map each id to one character")
            }
            return tokenizer
        }
        let isMerges =
            mergesNames.contains(FileSystem.lastComponent(of: path)) || file.bytes.starts(with: "#version".utf8)
        guard isMerges else {
            throw UserError(
                .data,
                """
                \(path) is not a tokenizer file; supported files: \(name), vocab.bpe, merges.txt (a file with another \
                name must begin with "#version") and .tiktoken
                """
            )
        }
        let folder = FileSystem.folder(of: path)
        let names = ["vocab.json", "encoder.json"].map { folder + "/" + $0 }.first { FileSystem.kind(of: $0) != nil }
        return try UnusableTokenizer.naming(path) {
            let settings = try TokenizerSettings(folder: folder)
            try settings.checkClass()
            return try merges(path, names: names, settings: settings) { notice("the tokenizer \(path): \($0)") }
        }
    }

    package static func merges(_ path: String) throws -> BytePairTokenizer {
        try merges(path, names: nil, settings: TokenizerSettings()) { _ in }
    }

    private static func merges(
        _ path: String,
        names: String?,
        settings: TokenizerSettings,
        notice: (String) -> Void
    ) throws -> BytePairTokenizer {
        let file = try MappedFile(path: path)
        let names = try names.map { try JSONValue(ofFile: $0) }
        return try UnusableTokenizer.naming(path) {
            var vocabulary = try BytePairVocabulary(mergesText: file.bytes, names: names, settings: settings)
            try vocabulary.checkPattern()
            vocabulary.endOfText = settings.endOfText(of: vocabulary, notice: notice)
            return BytePairTokenizer(vocabulary)
        }
    }

    /// Well-known vocabularies in tiktoken's format whose ids would be wrong here, with the reason. A .tiktoken file
    /// does not contain its name, so the number of tokens identifies the vocabulary.
    private static let unsupportedVocabularies = [
        50_280: ("p50k_base", "has <|endoftext|> in the middle of its ids"),
        100_256: ("cl100k_base", "does not split text with GPT-2's pattern"),
        128_000: ("Llama 3", "does not split text with GPT-2's pattern"),
        151_643: ("Qwen", "does not split text with GPT-2's pattern"),
        199_998: ("o200k_base", "does not split text with GPT-2's pattern"),
        200_000: ("Llama 4", "does not split text with GPT-2's pattern"),
    ]
    /// SHA-256 of r50k_base.tiktoken, GPT-2's vocabulary.
    private static let gpt2Hash = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"

    private static func tiktoken(_ file: MappedFile, notice: (String) -> Void) throws -> BytePairTokenizer {
        try UnusableTokenizer.naming(file.path) {
            let count = BytePairVocabulary.tiktokenCount(file.bytes)
            if let (name, difference) = unsupportedVocabularies[count] {
                throw UnusableTokenizer(
                    "it has the \(count) tokens of \(name), which \(difference); only GPT-2's format is supported"
                )
            }
            let vocabulary = try BytePairVocabulary(tiktokenText: file.bytes)
            try vocabulary.checkPattern()
            if Checksum.sha256(of: file.bytes) != gpt2Hash {
                notice(
                    """
                    \(file.path) does not contain the pattern that splits text before merging; assuming GPT-2's pattern \
                    (a tokenizer.json would contain the pattern)
                    """
                )
            }
            return BytePairTokenizer(vocabulary)
        }
    }
}
