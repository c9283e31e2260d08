import Formats

extension TokenizerFile {
    /// - Parameters:
    ///   - settings: what lies beside the file.
    ///   - notice: is told what of the file is passed over.
    /// - Throws: `UnusableTokenizer`.
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
                "it changes text by a normalizer (\(type(of: file["normalizer"]))): only those without are read"
            )
        }
        try checkPostProcessor(file["post_processor"] ?? .null)
        // transformers sets both aside too, and asks for them anew with each text.
        for (member, effect) in [("truncation", "cuts long texts"), ("padding", "fills up short texts")]
        where (file[member] ?? .null) != .null {
            notice("it \(effect) (\(member)), which is passed over: texts are encoded as they are")
        }
        try settings.checkSpace()
        let merges = model["merges"]?.arrayValue ?? []
        let added = try settings.adding(to: addedTokens(file["added_tokens"]))
        let preTokenizer = file["pre_tokenizer"] ?? .null
        if merges.isEmpty, added.isEmpty, let simple = try withoutMerges(vocabulary, preTokenizer) {
            if let end = settings.endOfText {
                notice(
                    "\(end.file) ends a text with \(JSONValue.string(end.content).text()), which the tokenizer does not have"
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

    /// Refuses what would give other ids than plain BPE.
    private static func checkModel(_ model: JSONValue) throws {
        guard model["type"] == .string("BPE") else {
            throw UnusableTokenizer("its model is of type \(type(of: model)): only BPE is read")
        }
        // The token of unknown characters is never used: all bytes have tokens.
        let others: Set = ["type", "vocab", "merges", "unk_token", "fuse_unk", "cache_capacity"]
        let harmless: [String: JSONValue] = [
            "dropout": .number(0), "continuing_subword_prefix": .string(""), "end_of_word_suffix": .string(""),
        ]
        for member in model.objectValue ?? [] where !others.contains(member.name) {
            let value = member.value == .integer(0) ? .number(0) : member.value
            guard [.null, harmless[member.name] ?? .bool(false)].contains(value) else {
                throw UnusableTokenizer("its model has \(member.name) \(value.text()): only BPE without it is read")
            }
        }
    }

    /// Refuses what adds tokens to each text.
    private static func checkPostProcessor(_ value: JSONValue) throws {
        switch value["type"]?.stringValue {
        case nil where value == .null: return
        case "ByteLevel": return
        case "Sequence": for step in value["processors"]?.arrayValue ?? [] { try checkPostProcessor(step) }
        case "TemplateProcessing" where value["single"]?.arrayValue?.allSatisfy({ $0["Sequence"] != nil }) == true:
            return
        case let type:
            throw UnusableTokenizer(
                "its post_processor adds tokens to each text (\(type ?? "unknown")): only those without are read"
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

    /// A tokenizer of characters or bytes, nil for one that splits text before.
    private static func withoutMerges(
        _ vocabulary: [JSONValue.Member],
        _ preTokenizer: JSONValue
    ) throws -> (any Tokenizer)? {
        let isByteLevel = type(of: preTokenizer) == "ByteLevel" && preTokenizer["use_regex"] == .bool(false)
        guard preTokenizer == .null || isByteLevel else { return nil }
        let tokens = try byID(vocabulary.map { ($0.name, $0.value.integerValue) })
        let scalars = try tokens.map { token in
            guard let scalar = token.unicodeScalars.first, token.unicodeScalars.count == 1 else {
                throw UnusableTokenizer("its token \"\(token)\" is no single character")
            }
            return scalar
        }
        guard !scalars.isEmpty else { throw UnusableTokenizer("its vocabulary is empty") }
        guard isByteLevel else { return CharacterTokenizer(scalars: scalars) }
        try GPT2PreTokenizer.checkSpace(preTokenizer)
        guard scalars == PrintableBytes.scalars else {
            throw UnusableTokenizer("its pre_tokenizer is that of bytes, its vocabulary is not")
        }
        return ByteTokenizer()
    }

    /// A merge as `"a b"`, or as `["a", "b"]` of newer releases of tokenizers.
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
        guard parts.count == 2 else { throw UnusableTokenizer("its merge \(value.text()) is no pair of tokens") }
        return (try bytes(of: parts[0]), try bytes(of: parts[1]))
    }

    static func bytes(of name: String) throws -> [UInt8] {
        guard let token = PrintableBytes.token(of: name) else {
            throw UnusableTokenizer("its token \"\(name)\" is not written in GPT-2's byte level")
        }
        return token
    }

    /// Names in the order of their ids.
    static func byID(_ members: [(name: String, id: Int?)]) throws -> [String] {
        var names = [String?](repeating: nil, count: members.count)
        for member in members {
            guard let id = member.id, names.indices.contains(id), names[id] == nil else {
                throw UnusableTokenizer("its ids are not 0 to \(members.count - 1), each once")
            }
            names[id] = member.name
        }
        return names.map { $0! }
    }
}

/// Tells GPT-2's way to split text from others in Hugging Face's files.
private enum GPT2PreTokenizer {
    /// As Hugging Face, OpenAI's first release and tiktoken write it; the three split alike.
    private static let patterns = [
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
        #"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
        #"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"#,
    ]

    /// - Throws: `UnusableTokenizer` naming another pre-tokenizer or pattern.
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
                // What the split gives would be split again, into the same pieces.
                guard isSplit || step["use_regex"] != .bool(false) else {
                    throw UnusableTokenizer(
                        "its pre_tokenizer does not split text (use_regex is false), as GPT-2's does"
                    )
                }
                return
            case let type:
                throw UnusableTokenizer("its pre_tokenizer is \(type ?? "none"): only GPT-2's is read, ByteLevel")
            }
        }
        throw UnusableTokenizer("its pre_tokenizer is no ByteLevel: only GPT-2's is read")
    }

    /// - Throws: `UnusableTokenizer` for a ByteLevel that puts a space before the text.
    static func checkSpace(_ byteLevel: JSONValue) throws {
        guard [nil, .bool(false)].contains(byteLevel["add_prefix_space"]) else {
            throw UnusableTokenizer(
                "its pre_tokenizer puts a space before the text (add_prefix_space), as GPT-2's does not"
            )
        }
    }

    private static func check(split: JSONValue) throws {
        let pattern = split["pattern"]?["Regex"]?.stringValue
        guard let pattern, patterns.contains(pattern) else {
            let text = pattern ?? split["pattern"]?.text() ?? "none"
            throw UnusableTokenizer(
                "its pre_tokenizer splits text by another pattern than GPT-2's, which alone is known: \(text)"
            )
        }
        guard split["behavior"] == .string("Isolated"), split["invert"] != .bool(true) else {
            throw UnusableTokenizer("its pre_tokenizer does not keep the pieces of its pattern as they are")
        }
    }
}
