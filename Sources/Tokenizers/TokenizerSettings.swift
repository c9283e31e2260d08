import Formats
import Platform

/// What the files of Hugging Face's transformers beside a tokenizer say about it: tokenizer_config.json,
/// special_tokens_map.json, added_tokens.json, and for the end of a text generation_config.json and config.json.
struct TokenizerSettings {
    static let fileName = "tokenizer_config.json"
    private static let mapName = "special_tokens_map.json"
    private static let addedName = "added_tokens.json"
    private static let modelNames = ["generation_config.json", "config.json"]
    private static let roles = [
        "eos_token", "bos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token",
    ]
    private static let roleLists = ["additional_special_tokens", "extra_special_tokens"]

    /// In the order of their ids.
    private(set) var addedTokens: [BytePairVocabulary.AddedToken] = []
    /// Whether the files say more of `addedTokens` than their ids.
    private(set) var describesAddedTokens = false
    /// Special tokens that have a role; their ids are not known here.
    private var named: [BytePairVocabulary.AddedToken] = []
    /// The content of the token that ends a text, and the file that says so.
    private(set) var endOfText: (content: String, file: String)?
    /// What the model's files say ends a text, in the order of precedence.
    private var modelEnds: [(ids: [Int], file: String)] = []
    /// tokenizer_config.json.
    private var configuration = JSONValue.null

    /// No files.
    init() {}

    /// - Throws: `UserError` for a file that cannot be read or is not JSON; `UnusableTokenizer` for what it says of tokens.
    init(folder: String) throws {
        func file(_ name: String) throws -> JSONValue {
            let path = folder + "/" + name
            return FileSystem.kind(of: path) == .file ? try JSONValue(ofFile: path) : .null
        }
        configuration = try file(Self.fileName)
        // The order of precedence is that of transformers: where tokenizer_config.json describes the added tokens, it is new
        // enough to say everything.
        describesAddedTokens = configuration["added_tokens_decoder"] != nil
        let map = (try file(Self.mapName), Self.mapName)
        let own = (configuration, Self.fileName)
        for (source, name) in describesAddedTokens ? [own, map] : [map, own] { try addNamed(source, name) }
        addedTokens = try describesAddedTokens ? describedTokens() : addedTokens(try file(Self.addedName))
        for name in Self.modelNames {
            let value = try file(name)["eos_token_id"]
            let ids = (value?.arrayValue ?? value.map { [$0] } ?? []).compactMap(\.integerValue)
            if !ids.isEmpty { modelEnds.append((ids, name)) }
        }
    }

    private mutating func addNamed(_ source: JSONValue, _ file: String) throws {
        for role in Self.roles {
            guard let value = source[role], value != .null else { continue }
            let token = try Self.token(value, id: -1, isSpecial: true, of: "\(role) of \(file)")
            if role == "eos_token", endOfText == nil { endOfText = (token.content, file) }
            add(token)
        }
        for role in Self.roleLists {
            for value in source[role]?.arrayValue ?? [] {
                add(try Self.token(value, id: -1, isSpecial: true, of: "\(role) of \(file)"))
            }
        }
    }

    private mutating func add(_ token: BytePairVocabulary.AddedToken) {
        if !named.contains(where: { $0.content.utf8.elementsEqual(token.content.utf8) }) { named.append(token) }
    }

    private func describedTokens() throws -> [BytePairVocabulary.AddedToken] {
        let place = "added_tokens_decoder of \(Self.fileName)"
        return try (configuration["added_tokens_decoder"]?.objectValue ?? []).map { member in
            guard let id = Int32(member.name) else {
                throw UnusableTokenizer("\(place) has \"\(member.name)\" where an id belongs")
            }
            return try Self.token(member.value, id: id, of: place)
        }.sorted { $0.id < $1.id }
    }

    private func addedTokens(_ file: JSONValue) throws -> [BytePairVocabulary.AddedToken] {
        try (file.objectValue ?? []).map { member in
            guard let id = member.value.integerValue else {
                throw UnusableTokenizer("\(Self.addedName) gives \"\(member.name)\" no id")
            }
            var token = BytePairVocabulary.AddedToken(content: member.name, id: Int32(clamping: id))
            token.isSpecial = named.contains { $0.content.utf8.elementsEqual(member.name.utf8) }
            token.isNormalized = !token.isSpecial
            return token
        }.sorted { $0.id < $1.id }
    }

    /// A token as its content, or as an object with its properties.
    ///
    /// - Parameters:
    ///   - isSpecial: nil for what the object says.
    ///   - place: for messages.
    /// - Throws: `UnusableTokenizer`.
    static func token(
        _ value: JSONValue,
        id: Int32,
        isSpecial: Bool? = nil,
        of place: String
    ) throws -> BytePairVocabulary.AddedToken {
        guard let content = value.stringValue ?? value["content"]?.stringValue else {
            throw UnusableTokenizer("\(place) has no content: \(value.text())")
        }
        var token = BytePairVocabulary.AddedToken(content: content, id: id)
        token.isSpecial = isSpecial ?? value["special"]?.boolValue ?? false
        token.isNormalized = value["normalized"]?.boolValue ?? !token.isSpecial
        token.stripsLeft = value["lstrip"]?.boolValue ?? false
        token.stripsRight = value["rstrip"]?.boolValue ?? false
        token.isSingleWord = value["single_word"]?.boolValue ?? false
        return token
    }
}

// MARK: - Beside tokenizer.json

extension TokenizerSettings {
    /// The added tokens of a tokenizer.json with those that only the other files have.
    ///
    /// - Throws: `UnusableTokenizer` where these say something else of a token, and text would have other ids for it.
    func adding(to tokens: [BytePairVocabulary.AddedToken]) throws -> [BytePairVocabulary.AddedToken] {
        let known = Dictionary(tokens.map { (Array($0.content.utf8), $0) }) { first, _ in first }
        return try tokens
            + addedTokens.filter { token in
                guard let other = known[Array(token.content.utf8)] else { return true }
                let isSame =
                    other.id == token.id
                    && (!describesAddedTokens
                        || other.stripsLeft == token.stripsLeft
                            && other.stripsRight == token.stripsRight && other.isSingleWord == token.isSingleWord)
                guard isSame else {
                    throw UnusableTokenizer(
                        """
                        the added token \(JSONValue.string(token.content).text()) is another one in \
                        \(describesAddedTokens ? Self.fileName : Self.addedName) beside it
                        """
                    )
                }
                return false
            }
    }

    /// - Throws: `UnusableTokenizer` where transformers would put a space before the text.
    func checkSpace() throws {
        guard configuration["add_prefix_space"] != .bool(true) else {
            throw UnusableTokenizer(
                "\(Self.fileName) puts a space before the text (add_prefix_space), as GPT-2's does not"
            )
        }
    }
}

// MARK: - Beside merges.txt

extension TokenizerSettings {
    /// The classes of transformers whose merges.txt and vocab.json have GPT-2's pattern, and that add nothing to a text.
    private static let classes = [
        "GPT2Tokenizer", "CodeGenTokenizer", "PreTrainedTokenizer", "PreTrainedTokenizerFast",
    ]

    /// What the files say is added to a vocabulary: tokens of their own, and those of it that have a role.
    func added(to members: [(name: String, id: Int?)]) -> [BytePairVocabulary.AddedToken] {
        let ids = Dictionary(members.map { (Array($0.name.utf8), $0.id) }) { first, _ in first }
        let known = Set(addedTokens.map { Array($0.content.utf8) })
        return addedTokens
            + named.compactMap { token in
                let content = Array(token.content.utf8)
                guard !known.contains(content), let id = ids[content] ?? nil else { return nil }
                var token = token
                token.id = Int32(clamping: id)
                return token
            }
    }

    /// - Throws: `UnusableTokenizer` for a tokenizer that transformers would not load as GPT-2's.
    func checkClass() throws {
        try checkSpace()
        for member in ["add_bos_token", "add_eos_token"] where configuration[member] == .bool(true) {
            throw UnusableTokenizer("\(Self.fileName) adds a token to each text (\(member)), as GPT-2's does not")
        }
        guard let name = configuration["tokenizer_class"]?.stringValue else { return }
        guard Self.classes.contains(where: { name == $0 || name == $0 + "Fast" }) else {
            throw UnusableTokenizer(
                "\(Self.fileName) says that it is a \(name), which splits text, or adds to it, otherwise than GPT-2's"
            )
        }
    }
}

// MARK: - The end of a text

extension TokenizerSettings {
    /// The id that ends a text: of the token that the tokenizer's files name, else of one that the model's files do, else
    /// the vocabulary's own.
    ///
    /// - Parameter notice: is told what the files say and what is not so.
    func endOfText(of vocabulary: BytePairVocabulary, notice: (String) -> Void) -> Int32? {
        var usual = vocabulary.endOfText
        let (fromModel, problem) = modelEnd(of: vocabulary, notice: notice)
        guard let endOfText else {
            if let problem, fromModel == nil, usual == nil { notice(problem) }
            return fromModel?.id ?? usual
        }
        if let id = vocabulary.id(named: endOfText.content) {
            if let fromModel, fromModel.id != id {
                notice(
                    "\(fromModel.file) ends a text with id \(fromModel.id), \(endOfText.file) with \(id): \(id) is used"
                )
            }
            return id
        }
        usual = fromModel?.id ?? usual
        notice(
            """
            \(endOfText.file) ends a text with \(JSONValue.string(endOfText.content).text()), which the tokenizer does not \
            have: \(usual.map { "id \($0) is used" } ?? "no token ends a text")
            """
        )
        return usual
    }

    /// Only added tokens count: transformers writes 50256 where nothing was said, whatever that is in the vocabulary.
    private func modelEnd(
        of vocabulary: BytePairVocabulary,
        notice: (String) -> Void
    ) -> ((id: Int32, file: String)?, problem: String?) {
        var problem: String?
        for (ids, file) in modelEnds {
            let known = ids.filter { id in vocabulary.addedTokens.contains { Int($0.id) == id } }
            if let id = known.first {
                if known.count > 1 { notice("\(file) ends a text with the ids \(known): only \(id) is used") }
                return ((Int32(id), file), nil)
            }
            problem = problem ?? "\(file) ends a text with id \(ids[0]), which is no added token: no token ends a text"
        }
        return (nil, problem)
    }
}
