import Formats
import Platform

extension TokenizerFile {
    private static let mergesNames = ["vocab.bpe", "merges.txt"]

    /// Opens a file or folder with a tokenizer of any form that is known.
    ///
    /// A folder gives its tokenizer.json, else its vocab.bpe or merges.txt, else nanoGPT's meta.pkl, else its only
    /// .tiktoken file. Beside merges.txt or vocab.bpe, vocab.json or encoder.json says which token has which id;
    /// without it, ids are in GPT-2's order.
    ///
    /// - Throws: `UserError`: `.data` for what is no tokenizer, `.inputOutput` for what cannot be read.
    public static func open(_ path: String) throws -> any Tokenizer {
        guard FileSystem.kind(of: path) == .folder else { return try open(file: path) }
        let names = try FileSystem.names(inFolder: path)
        if let file = ([name] + mergesNames + [NanoGPTMeta.fileName]).first(where: names.contains) {
            return try open(file: path + "/" + file)
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
        return try open(file: path + "/" + tiktoken[0])
    }

    /// By what the file holds, since names differ.
    private static func open(file path: String) throws -> any Tokenizer {
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
            return try load(path: path)
        }
        if path.hasSuffix(".tiktoken") { return try tiktoken(file) }
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
        return try merges(path, names: names)
    }

    package static func merges(_ path: String, names: String?) throws -> BytePairTokenizer {
        let file = try MappedFile(path: path)
        let names = try names.map { try JSONValue(ofFile: $0) }
        return try UnusableTokenizer.naming(path) {
            BytePairTokenizer(try BytePairVocabulary(mergesText: file.bytes, names: names))
        }
    }

    private static func tiktoken(_ file: MappedFile) throws -> BytePairTokenizer {
        try UnusableTokenizer.naming(file.path) {
            // The file does not say how text is split before its tokens apply; these two are known by their hash.
            let others = [
                "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7": "cl100k_base",
                "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d": "o200k_base",
            ]
            if let name = others[Checksum.sha256(of: file.bytes)] {
                throw UnusableTokenizer("it is \(name), which splits text by another pattern than GPT-2's")
            }
            return BytePairTokenizer(try BytePairVocabulary(tiktokenText: file.bytes))
        }
    }
}
