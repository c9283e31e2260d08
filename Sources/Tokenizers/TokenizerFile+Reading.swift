import Formats

extension TokenizerFile {
    /// - Throws: `UnusableTokenizer`.
    static func tokenizer(from file: JSONValue) throws -> any Tokenizer {
        guard let model = file["model"], let vocabulary = model["vocab"]?.objectValue else {
            throw UnusableTokenizer("it has no model with a vocabulary")
        }
        try checkModel(model)
        guard (file["normalizer"] ?? .null) == .null else {
            throw UnusableTokenizer(
                "it changes text by a normalizer (\(type(of: file["normalizer"]))): only those without are read"
            )
        }
        let merges = model["merges"]?.arrayValue ?? []
        let added = file["added_tokens"]?.arrayValue ?? []
        let preTokenizer = file["pre_tokenizer"] ?? .null
        if merges.isEmpty, added.isEmpty, let simple = try withoutMerges(vocabulary, preTokenizer) { return simple }
        try GPT2PreTokenizer.check(preTokenizer)
        return BytePairTokenizer(try bytePairs(vocabulary, merges: merges, added: added))
    }

    /// Refuses what would give other ids than plain BPE.
    private static func checkModel(_ model: JSONValue) throws {
        guard model["type"] == .string("BPE") else {
            throw UnusableTokenizer("its model is of type \(type(of: model)): only BPE is read")
        }
        for (member, harmless) in [
            ("dropout", [.null, .integer(0), .number(0)]), ("continuing_subword_prefix", [.null, .string("")]),
            ("end_of_word_suffix", [.null, .string("")]), ("byte_fallback", [.null, .bool(false)]),
            ("ignore_merges", [.null, .bool(false)]),
        ] as [(String, [JSONValue])] {
            let value = model[member] ?? .null
            guard harmless.contains(value) else {
                throw UnusableTokenizer("its model has \(member) \(value.text()): only BPE without it is read")
            }
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
        guard scalars == PrintableBytes.scalars else {
            throw UnusableTokenizer("its pre_tokenizer is that of bytes, its vocabulary is not")
        }
        return ByteTokenizer()
    }

    private static func bytePairs(
        _ vocabulary: [JSONValue.Member],
        merges: [JSONValue],
        added: [JSONValue]
    ) throws -> BytePairVocabulary {
        let specials = try added.map { token in
            guard let content = token["content"]?.stringValue, let id = token["id"]?.integerValue else {
                throw UnusableTokenizer("an added token has no content or no id: \(token.text())")
            }
            return BytePairVocabulary.Special(content: content, id: Int32(clamping: id))
        }
        // Names are told apart as bytes: canonically equal strings are different tokens.
        let contents = Set(specials.map { Array($0.content.utf8) })
        guard contents.count == specials.count else { throw UnusableTokenizer("it has an added token twice") }
        var members = specials.map { (name: $0.content, id: Int($0.id) as Int?) }
        for member in vocabulary {
            guard contents.contains(Array(member.name.utf8)) else {
                members.append((member.name, member.value.integerValue))
                continue
            }
            let id = specials.first { $0.content.utf8.elementsEqual(member.name.utf8) }!.id
            guard member.value.integerValue == Int(id) else {
                throw UnusableTokenizer("its token \"\(member.name)\" has two ids, \(member.value.text()) and \(id)")
            }
        }
        let specialIDs = Set(specials.map { Int($0.id) })
        let tokens = try byID(members).enumerated().map { id, name in
            try specialIDs.contains(id) ? Array(name.utf8) : bytes(of: name)
        }
        return try BytePairVocabulary(tokens: tokens, merges: merges.map(pair), specials: specials)
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
                guard step["add_prefix_space"] != .bool(true) else {
                    throw UnusableTokenizer(
                        "its pre_tokenizer puts a space before the text (add_prefix_space), as GPT-2's does not"
                    )
                }
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
