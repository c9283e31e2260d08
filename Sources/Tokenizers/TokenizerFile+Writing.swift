import Formats

extension TokenizerFile {
    /// Returns the text of the tokenizer.json.
    static func text(of tokenizer: any Tokenizer) -> String {
        switch tokenizer {
        case let tokenizer as CharacterTokenizer:
            let decoder = JSONValue.object([.init("type", .string("Fuse"))])
            return text(preTokenizer: .null, decoder: decoder, vocabulary: names(tokenizer.scalars))
        case is ByteTokenizer:
            let level = byteLevel(splits: false)
            return text(preTokenizer: level, decoder: level, vocabulary: names(PrintableBytes.scalars))
        case let tokenizer as BytePairTokenizer:
            let level = byteLevel(splits: true)
            let vocabulary = tokenizer.vocabulary
            return text(
                preTokenizer: level,
                decoder: level,
                vocabulary: vocabulary.names,
                merges: vocabulary.mergeLines,
                addedTokens: vocabulary.addedTokens
            )
        default: preconditionFailure("cannot write a tokenizer of kind \(tokenizer.name)")
        }
    }

    private static func names(_ scalars: [Unicode.Scalar]) -> [String] { scalars.map { String($0) } }

    private static func byteLevel(splits: Bool) -> JSONValue {
        .object([
            .init("type", .string("ByteLevel")), .init("add_prefix_space", .bool(false)),
            .init("trim_offsets", .bool(false)), .init("use_regex", .bool(splits)),
        ])
    }

    private static func text(
        preTokenizer: JSONValue,
        decoder: JSONValue,
        vocabulary: [String],
        merges: [String] = [],
        addedTokens: [BytePairVocabulary.AddedToken] = []
    ) -> String {
        let added = addedTokens.map { token in
            JSONValue.object([
                .init("id", .integer(Int(token.id))), .init("content", .string(token.content)),
                .init("single_word", .bool(token.isSingleWord)), .init("lstrip", .bool(token.stripsLeft)),
                .init("rstrip", .bool(token.stripsRight)), .init("normalized", .bool(token.isNormalized)),
                .init("special", .bool(token.isSpecial)),
            ])
        }
        return JSONValue.object([
            .init("version", .string("1.0")),
            .init("truncation", .null),
            .init("padding", .null),
            .init("added_tokens", .array(added)),
            .init("normalizer", .null),
            .init("pre_tokenizer", preTokenizer),
            .init("post_processor", .null),
            .init("decoder", decoder),
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
                    .init("vocab", .object(vocabulary.enumerated().map { .init($0.element, .integer($0.offset)) })),
                    // As strings, because older releases of tokenizers do not read pairs.
                    .init("merges", .array(merges.map { .string($0) })),
                ])
            ),
        ]).text(pretty: true)
    }
}
