import Formats
import Platform

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

    /// Loads the tokenizer.
    ///
    /// A folder gives its tokenizer.json, else its vocab.bpe or merges.txt, else nanoGPT's meta.pkl, else its only
    /// .tiktoken file. Beside merges.txt or vocab.bpe, vocab.json or encoder.json says which token has which id;
    /// without it, ids are in GPT-2's order.
    /// - Parameters:
    ///   - text: what `char` takes its characters from.
    ///   - cacheFolder: where downloads are kept; nil for `CacheFolder.path()`.
    ///   - progress: called with the bytes of a download.
    /// - Throws: `UserError`: `.usage` for `char` without a text, `.data` for what is no tokenizer, `.inputOutput` for
    ///   what cannot be read or downloaded.
    public func open(
        text: [UInt8]? = nil,
        cacheFolder: String? = nil,
        progress: (_ bytes: Int) -> Void = { _ in }
    ) throws -> any Tokenizer {
        switch self {
        case .gpt2:
            let download = Download(file: .gpt2Merges, cacheFolder: try cacheFolder ?? CacheFolder.path())
            return try Self.merges(download.locate(progress: progress), names: nil)
        case .char:
            guard let text else {
                throw UserError(.usage, "tokenizer=char takes its characters from a text, and there is none here")
            }
            var survey = CharacterSurvey()
            try text.withUnsafeBytes { try survey.add($0, source: "the text") }
            return CharacterTokenizer(scalars: survey.scalars)
        case .byte: return ByteTokenizer()
        case .path(let path): return try Self.open(path)
        }
    }

    private static let mergesNames = ["vocab.bpe", "merges.txt"]

    private static func open(_ path: String) throws -> any Tokenizer {
        let kind = FileSystem.kind(of: path)
        guard kind != nil else {
            throw UserError(
                .inputOutput,
                "tokenizer=\(path): there is no such file or folder, nor is it one of gpt2, byte and char"
            )
        }
        guard kind == .folder else { return try open(file: path) }
        let names = try FileSystem.names(inFolder: path)
        if let name = ([TokenizerFile.name] + mergesNames + [NanoGPTMeta.fileName]).first(where: names.contains) {
            return try open(file: path + "/" + name)
        }
        let tiktoken = names.filter { $0.hasSuffix(".tiktoken") }
        guard tiktoken.count == 1 else {
            throw UserError(
                .data,
                """
                \(path) has no tokenizer: none of \(TokenizerFile.name), vocab.bpe, merges.txt and meta.pkl, and \
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
            return try TokenizerFile.load(path: path)
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
                \(path) is no tokenizer file: known are \(TokenizerFile.name), vocab.bpe, merges.txt (beginning with \
                "#version" under another name) and .tiktoken
                """
            )
        }
        let folder = FileSystem.folder(of: path)
        let names = ["vocab.json", "encoder.json"].map { folder + "/" + $0 }.first { FileSystem.kind(of: $0) != nil }
        return try merges(path, names: names)
    }

    private static func merges(_ path: String, names: String?) throws -> BytePairTokenizer {
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

extension BytePairTokenizer {
    /// Writes tokenizer.json, merges.txt with vocab.json, and tokenizer.tiktoken: Hugging Face's tokenizers load the
    /// first three, tiktoken's `load_tiktoken_bpe` the last.
    ///
    /// - Throws: `UserError(.inputOutput)`.
    public func write(folder: String) throws {
        try TokenizerFile.save(self, folder: folder)
        try AtomicFile.write(vocabulary.mergesText, to: folder + "/merges.txt")
        try AtomicFile.write(vocabulary.namesText, to: folder + "/vocab.json")
        try AtomicFile.write(vocabulary.tiktokenText, to: folder + "/tokenizer.tiktoken")
    }

    /// What `write` makes.
    public static let fileNames: Set = [TokenizerFile.name, "merges.txt", "vocab.json", "tokenizer.tiktoken"]
}
