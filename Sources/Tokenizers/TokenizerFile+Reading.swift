import Formats

extension TokenizerFile {
    /// Returns the tokenizer of a parsed tokenizer.json.
    ///
    /// - Parameters:
    ///   - settings: The settings from the other files in the folder.
    ///   - notice: Called with a message for each setting that is ignored.
    /// - Throws: `UnusableTokenizer` if the file would give other ids here than in Hugging Face's tokenizers.
    static func tokenizer(
        from file: JSONValue,
        settings: TokenizerSettings,
        notice: (String) -> Void
    ) throws -> any Tokenizer {
        guard let model = file["model"], let vocabulary = model["vocab"]?.objectValue else {
            throw UnusableTokenizer("it has no model with a vocabulary")
        }
        try checkModel(model)
        guard (file["normalizer"] ?? .null) == .null else {
            throw UnusableTokenizer(
                "it has a normalizer (\(type(of: file["normalizer"]))), which is not supported"
            )
        }
        try checkPostProcessor(file["post_processor"] ?? .null)
        // transformers ignores both as well: callers set them for each text.
        for (member, effect) in [("truncation", "truncates long texts"), ("padding", "pads short texts")]
        where (file[member] ?? .null) != .null {
            notice("it \(effect) (\(member)); this setting is ignored, and texts are encoded unchanged")
        }
        try settings.checkSpace()
        let merges = model["merges"]?.arrayValue ?? []
        let added = try settings.adding(to: addedTokens(file["added_tokens"]))
        let preTokenizer = file["pre_tokenizer"] ?? .null
        if merges.isEmpty, added.isEmpty, let simple = try withoutMerges(vocabulary, preTokenizer) {
            if let end = settings.endOfText {
                notice(
                    """
                    \(end.file) names the end-of-text token \(JSONValue.string(end.content).text()), but the tokenizer \
                    has no such token
                    """
                )
            }
            return simple
        }
        try GPT2PreTokenizer.check(preTokenizer)
        var pairs = try BytePairVocabulary(
            members: vocabulary.map { ($0.name, $0.value.integerValue) },
            merges: merges.map(pair),
            added: added
        )
        pairs.endOfText = settings.endOfText(of: pairs, notice: notice)
        return BytePairTokenizer(pairs)
    }

    /// Rejects options of the model that would give other ids than plain BPE.
    private static func checkModel(_ model: JSONValue) throws {
        guard model["type"] == .string("BPE") else {
            throw UnusableTokenizer("its model has type \(type(of: model)); only BPE is supported")
        }
        // The unknown token (unk_token) is never used, because every byte has a token.
        let others: Set = ["type", "vocab", "merges", "unk_token", "fuse_unk", "cache_capacity"]
        let harmless: [String: JSONValue] = [
            "dropout": .number(0), "continuing_subword_prefix": .string(""), "end_of_word_suffix": .string(""),
        ]
        for member in model.objectValue ?? [] where !others.contains(member.name) {
            let value = member.value == .integer(0) ? .number(0) : member.value
            guard [.null, harmless[member.name] ?? .bool(false)].contains(value) else {
                throw UnusableTokenizer("its model has \(member.name) \(value.text()), which is not supported")
            }
        }
    }

    /// Rejects post-processors that add tokens to each text.
    private static func checkPostProcessor(_ value: JSONValue) throws {
        switch value["type"]?.stringValue {
        case nil where value == .null: return
        case "ByteLevel": return
        case "Sequence": for step in value["processors"]?.arrayValue ?? [] { try checkPostProcessor(step) }
        case "TemplateProcessing" where value["single"]?.arrayValue?.allSatisfy({ $0["Sequence"] != nil }) == true:
            return
        case let type:
            throw UnusableTokenizer(
                "its post_processor adds tokens to each text (\(type ?? "unknown")), which is not supported"
            )
        }
    }

    private static func addedTokens(_ value: JSONValue?) throws -> [BytePairVocabulary.AddedToken] {
        try (value?.arrayValue ?? []).map { token in
            guard token["content"]?.stringValue != nil, let id = token["id"]?.integerValue else {
                throw UnusableTokenizer("an added token has no content or no id: \(token.text())")
            }
            return try TokenizerSettings.token(token, id: Int32(clamping: id), of: "an added token")
        }
    }

    static func type(of value: JSONValue?) -> String { value?["type"]?.stringValue ?? "unknown" }

    /// Returns a character or byte tokenizer, or nil if the pre-tokenizer splits text.
    private static func withoutMerges(
        _ vocabulary: [JSONValue.Member],
        _ preTokenizer: JSONValue
    ) throws -> (any Tokenizer)? {
        let isByteLevel = type(of: preTokenizer) == "ByteLevel" && preTokenizer["use_regex"] == .bool(false)
        guard preTokenizer == .null || isByteLevel else { return nil }
        let tokens = try byID(vocabulary.map { ($0.name, $0.value.integerValue) })
        let scalars = try tokens.map { token in
            guard let scalar = token.unicodeScalars.first, token.unicodeScalars.count == 1 else {
                throw UnusableTokenizer("its token \"\(token)\" is not a single character")
            }
            return scalar
        }
        guard !scalars.isEmpty else { throw UnusableTokenizer("its vocabulary is empty") }
        guard isByteLevel else { return CharacterTokenizer(scalars: scalars) }
        try GPT2PreTokenizer.checkSpace(preTokenizer)
        guard scalars == PrintableBytes.scalars else {
            throw UnusableTokenizer("its pre_tokenizer splits text into bytes, but its vocabulary is not the 256 bytes")
        }
        return ByteTokenizer()
    }

    /// Parses a merge: `"a b"`, or `["a", "b"]` in newer releases of tokenizers.
    private static func pair(_ value: JSONValue) throws -> (left: [UInt8], right: [UInt8]) {
        let parts: [String] =
            switch value {
            case .string(let text):
                text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map {
                    String(Substring($0))
                }
            case .array(let values): values.compactMap(\.stringValue)
            default: []
            }
        guard parts.count == 2 else { throw UnusableTokenizer("its merge \(value.text()) is not a pair of tokens") }
        return (try bytes(of: parts[0]), try bytes(of: parts[1]))
    }

    static func bytes(of name: String) throws -> [UInt8] {
        guard let token = PrintableBytes.token(of: name) else {
            throw UnusableTokenizer("its token \"\(name)\" is not in GPT-2's byte-level encoding")
        }
        return token
    }

    /// Returns the names in the order of their ids.
    static func byID(_ members: [(name: String, id: Int?)]) throws -> [String] {
        var names = [String?](repeating: nil, count: members.count)
        for member in members {
            guard let id = member.id, names.indices.contains(id), names[id] == nil else {
                throw UnusableTokenizer("its ids are not 0 to \(members.count - 1), each exactly once")
            }
            names[id] = member.name
        }
        return names.map { $0! }
    }
}

/// Checks that a pre-tokenizer in Hugging Face's format splits text as GPT-2 does.
private enum GPT2PreTokenizer {
    /// GPT-2's pattern as written by Hugging Face, OpenAI's first release and tiktoken. All three split text the same
    /// way.
    private static let patterns = [
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
        #"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
        #"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"#,
    ]

    /// - Throws: `UnusableTokenizer` with the name of the pre-tokenizer or the pattern if it is not GPT-2's.
    static func check(_ value: JSONValue) throws {
        let steps = value["type"] == .string("Sequence") ? value["pretokenizers"]?.arrayValue ?? [] : [value]
        var isSplit = false
        for (index, step) in steps.enumerated() {
            let isLast = index == steps.count - 1
            switch step["type"]?.stringValue {
            case "Split" where !isLast:
                try check(split: step)
                isSplit = true
            case "ByteLevel" where isLast:
                try checkSpace(step)
                // After a Split, use_regex changes nothing: the pattern splits each piece into itself.
                guard isSplit || step["use_regex"] != .bool(false) else {
                    throw UnusableTokenizer(
                        "its pre_tokenizer does not split text (use_regex is false); GPT-2's pre_tokenizer does"
                    )
                }
                return
            case let type:
                throw UnusableTokenizer("its pre_tokenizer is \(type ?? "none"); only GPT-2's ByteLevel is supported")
            }
        }
        throw UnusableTokenizer("its pre_tokenizer does not end with ByteLevel; only GPT-2's ByteLevel is supported")
    }

    /// - Throws: `UnusableTokenizer` if the ByteLevel adds a space before the text.
    static func checkSpace(_ byteLevel: JSONValue) throws {
        guard [nil, .bool(false)].contains(byteLevel["add_prefix_space"]) else {
            throw UnusableTokenizer(
                "its pre_tokenizer adds a space before the text (add_prefix_space); GPT-2's does not"
            )
        }
    }

    private static func check(split: JSONValue) throws {
        let pattern = split["pattern"]?["Regex"]?.stringValue
        guard let pattern, patterns.contains(pattern) else {
            let text = pattern ?? split["pattern"]?.text() ?? "none"
            throw UnusableTokenizer(
                "its pre_tokenizer does not split text with GPT-2's pattern, the only supported one, but with \(text)"
            )
        }
        guard split["behavior"] == .string("Isolated"), split["invert"] != .bool(true) else {
            throw UnusableTokenizer("its Split must have the behavior Isolated and must not be inverted, as GPT-2's")
        }
    }
}
