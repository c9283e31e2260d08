import Formats

/// Tokenizers as Hugging Face `tokenizer.json` files, which PyPI's `tokenizers` and `transformers` load.
///
/// Both kinds are a BPE model without merges. `char` has a vocabulary of single scalars. `byte` has GPT-2's byte level:
/// each byte stands in the vocabulary as a printable scalar (bytes 33-126, 161-172 and 174-255 as themselves, the others
/// in order from U+0100 on), and its id is the byte.
public enum TokenizerFile {
    public static let name = "tokenizer.json"

    /// Writes `folder/tokenizer.json`.
    ///
    /// - Throws: `UserError(.inputOutput)`.
    public static func save(_ tokenizer: any Tokenizer, folder: String) throws {
        try AtomicFile.write(text(of: tokenizer), to: folder + "/" + name)
    }

    /// Reads `folder/tokenizer.json`.
    ///
    /// - Throws: `UserError(.inputOutput)` when it cannot be read, `UserError(.data)` when it is no tokenizer of a known kind.
    public static func load(folder: String) throws -> any Tokenizer {
        let path = folder + "/" + name
        let model = try JSONValue(ofFile: path)
        do {
            return try tokenizer(from: model)
        } catch let unknown as Unknown {
            throw UserError(.data, "cannot use the tokenizer \(path): \(unknown.reason)")
        }
    }

    /// SHA-256 of the tokenizer's file: the same for equal tokenizers, wherever they are kept.
    public static func hash(of tokenizer: any Tokenizer) -> String {
        Checksum.sha256(of: text(of: tokenizer))
    }

    // MARK: - Writing

    private static func text(of tokenizer: any Tokenizer) -> String {
        let byteLevel = JSONValue.object([
            .init("type", .string("ByteLevel")), .init("add_prefix_space", .bool(false)),
            .init("trim_offsets", .bool(false)), .init("use_regex", .bool(false)),
        ])
        let isByte = tokenizer is ByteTokenizer
        let tokens: [Unicode.Scalar]
        switch tokenizer {
        case let tokenizer as CharacterTokenizer: tokens = tokenizer.scalars
        case is ByteTokenizer: tokens = printableBytes
        default: preconditionFailure("tokenizers of kind \(tokenizer.name) have no file")
        }
        let vocabulary = tokens.enumerated().map { JSONValue.Member(String($0.element), .integer($0.offset)) }
        return JSONValue.object([
            .init("version", .string("1.0")),
            .init("truncation", .null),
            .init("padding", .null),
            .init("added_tokens", .array([])),
            .init("normalizer", .null),
            .init("pre_tokenizer", isByte ? byteLevel : .null),
            .init("post_processor", .null),
            .init("decoder", isByte ? byteLevel : .object([.init("type", .string("Fuse"))])),
            .init(
                "model",
                .object([
                    .init("type", .string("BPE")),
                    .init("dropout", .null),
                    .init("unk_token", .null),
                    .init("continuing_subword_prefix", .null),
                    .init("end_of_word_suffix", .null),
                    .init("fuse_unk", .bool(false)),
                    .init("byte_fallback", .bool(false)),
                    .init("ignore_merges", .bool(false)),
                    .init("vocab", .object(vocabulary)),
                    .init("merges", .array([])),
                ])
            ),
        ]).text(pretty: true)
    }

    /// The scalar that stands for each byte at GPT-2's byte level.
    static let printableBytes: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (0..<256).map { byte in
            switch byte {
            case 33...126, 161...172, 174...255: return Unicode.Scalar(UInt8(byte))
            default:
                defer { next += 1 }
                return Unicode.Scalar(next)!
            }
        }
    }()

    // MARK: - Reading

    private struct Unknown: Error {
        let reason: String
    }

    private static func tokenizer(from file: JSONValue) throws -> any Tokenizer {
        guard let model = file["model"], let vocabulary = model["vocab"]?.objectValue else {
            throw Unknown(reason: "it has no model with a vocabulary")
        }
        guard model["type"] == .string("BPE"), model["merges"]?.arrayValue?.isEmpty == true,
            (file["added_tokens"]?.arrayValue ?? []).isEmpty, (file["normalizer"] ?? .null) == .null
        else {
            throw Unknown(reason: "char and byte tokenizers are read: BPE without merges, added tokens and normalizer")
        }

        var scalars = [Unicode.Scalar?](repeating: nil, count: vocabulary.count)
        for member in vocabulary {
            guard let id = member.value.integerValue, scalars.indices.contains(id), scalars[id] == nil else {
                throw Unknown(reason: "its ids are not 0 to \(vocabulary.count - 1), each once")
            }
            guard member.name.unicodeScalars.count == 1 else {
                throw Unknown(reason: "its token \"\(member.name)\" is no single character")
            }
            scalars[id] = member.name.unicodeScalars.first
        }
        let tokens = scalars.compactMap { $0 }
        guard !tokens.isEmpty else { throw Unknown(reason: "its vocabulary is empty") }
        switch file["pre_tokenizer"] ?? .null {
        case .null: return CharacterTokenizer(scalars: tokens)
        case let level where level["type"] == .string("ByteLevel") && tokens == printableBytes: return ByteTokenizer()
        default: throw Unknown(reason: "its pre_tokenizer is none that char and byte tokenizers have")
        }
    }
}
