import Formats
import Platform

extension TokenizerFile {
    private static let mergesNames = ["vocab.bpe", "merges.txt"]

    /// Opens a file or folder with a tokenizer of any form that is known.
    ///
    /// A folder gives its tokenizer.json, else its vocab.bpe or merges.txt, else nanoGPT's meta.pkl, else its only
    /// .tiktoken file. Beside merges.txt or vocab.bpe, vocab.json or encoder.json says which token has which id;
    /// without it, ids are in GPT-2's order. Files of transformers beside tokenizer.json or merges.txt say which tokens were
    /// added and which ends a text.
    ///
    /// - Parameter notice: is told what is assumed, and what of the files is passed over.
    /// - Throws: `UserError`: `.data` for what is no tokenizer, `.inputOutput` for what cannot be read.
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
                \(path) has no tokenizer: none of \(name), vocab.bpe, merges.txt and meta.pkl, and \
                \(tiktoken.isEmpty ? "no" : "more than one") .tiktoken file
                """
            )
        }
        return try open(file: path + "/" + tiktoken[0], notice: notice)
    }

    /// By what the file holds, since names differ.
    private static func open(file path: String, notice: (String) -> Void) throws -> any Tokenizer {
        let file = try MappedFile(path: path)
        let first = file.bytes.first { $0 > UInt8(ascii: " ") }
        if first == UInt8(ascii: "{") {
            let json = try JSONValue(ofFile: path)
            // A vocabulary may well have a token named model.
            guard json.objectValue?.allSatisfy({ $0.value.integerValue != nil }) == false else {
                throw UserError(
                    .data,
                    "\(path) has the ids of tokens but not their merges: name the merges.txt or vocab.bpe that belongs to it"
                )
            }
            return try load(path: path, notice: notice)
        }
        if path.hasSuffix(".tiktoken") { return try tiktoken(file, notice: notice) }
        if FileSystem.lastComponent(of: path) == NanoGPTMeta.fileName {
            guard let tokenizer = try NanoGPTMeta(path: path).tokenizer else {
                throw UserError(.data, "\(path) does not say which character each id stands for")
            }
            return tokenizer
        }
        let isMerges =
            mergesNames.contains(FileSystem.lastComponent(of: path)) || file.bytes.starts(with: "#version".utf8)
        guard isMerges else {
            throw UserError(
                .data,
                """
                \(path) is no tokenizer file: known are \(name), vocab.bpe, merges.txt (beginning with \
                "#version" under another name) and .tiktoken
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

    /// Vocabularies in tiktoken's form that are known by their number of tokens, which the file does not name; and why
    /// they would have other ids here.
    private static let unsupportedVocabularies = [
        50_280: ("p50k_base", "has <|endoftext|> in the middle of its ids"),
        100_256: ("cl100k_base", "splits text by another pattern than GPT-2's"),
        128_000: ("Llama 3", "splits text by another pattern than GPT-2's"),
        151_643: ("Qwen", "splits text by another pattern than GPT-2's"),
        199_998: ("o200k_base", "splits text by another pattern than GPT-2's"),
        200_000: ("Llama 4", "splits text by another pattern than GPT-2's"),
    ]
    /// r50k_base.tiktoken, which is GPT-2's.
    private static let gpt2Hash = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"

    private static func tiktoken(_ file: MappedFile, notice: (String) -> Void) throws -> BytePairTokenizer {
        try UnusableTokenizer.naming(file.path) {
            let count = BytePairVocabulary.tiktokenCount(file.bytes)
            if let (name, difference) = unsupportedVocabularies[count] {
                throw UnusableTokenizer(
                    "it has the \(count) tokens of \(name), which \(difference): only GPT-2's form is read"
                )
            }
            let vocabulary = try BytePairVocabulary(tiktokenText: file.bytes)
            try vocabulary.checkPattern()
            if Checksum.sha256(of: file.bytes) != gpt2Hash {
                notice(
                    """
                    \(file.path) does not say how text is split before its tokens apply: GPT-2's pattern is assumed; a \
                    tokenizer.json would say it
                    """
                )
            }
            return BytePairTokenizer(vocabulary)
        }
    }
}
