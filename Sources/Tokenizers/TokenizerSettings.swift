import Formats
import Platform

/// Settings from the files that Hugging Face transformers keeps in the folder of a tokenizer.
///
/// Reads tokenizer_config.json, special_tokens_map.json and added_tokens.json. For the end-of-text token, it also reads
/// generation_config.json and config.json.
struct TokenizerSettings {
    static let fileName = "tokenizer_config.json"
    private static let mapName = "special_tokens_map.json"
    private static let addedName = "added_tokens.json"
    private static let modelNames = ["generation_config.json", "config.json"]
    private static let roles = [
        "eos_token", "bos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token",
    ]
    private static let roleLists = ["additional_special_tokens", "extra_special_tokens"]

    /// In ascending order of ids.
    private(set) var addedTokens: [BytePairVocabulary.AddedToken] = []
    /// Whether the files give properties of `addedTokens` and not only their ids.
    private(set) var describesAddedTokens = false
    /// Special tokens that have a role, such as `eos_token`. These entries have no ids.
    private var named: [BytePairVocabulary.AddedToken] = []
    /// The content of the end-of-text token, and the file that defines it.
    private(set) var endOfText: (content: String, file: String)?
    /// The end-of-text ids in the model's files, in order of precedence.
    private var modelEnds: [(ids: [Int], file: String)] = []
    /// The contents of tokenizer_config.json.
    private var configuration = JSONValue.null

    /// Creates settings for a tokenizer without such files.
    init() {}

    /// - Throws: `UserError` if a file cannot be read or is not JSON, `UnusableTokenizer` if its description of a token
    ///   is not valid.
    init(folder: String) throws {
        func file(_ name: String) throws -> JSONValue {
            let path = folder + "/" + name
            return FileSystem.kind(of: path) == .file ? try JSONValue(ofFile: path) : .null
        }
        configuration = try file(Self.fileName)
        // The same order of precedence as in transformers: a tokenizer_config.json with added_tokens_decoder comes from
        // a newer release and is complete.
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
                throw UnusableTokenizer("\(place) has the key \"\(member.name)\", which is not an id")
            }
            return try Self.token(member.value, id: id, of: place)
        }.sorted { $0.id < $1.id }
    }

    private func addedTokens(_ file: JSONValue) throws -> [BytePairVocabulary.AddedToken] {
        try (file.objectValue ?? []).map { member in
            guard let id = member.value.integerValue else {
                throw UnusableTokenizer("\(Self.addedName) has no id for \"\(member.name)\"")
            }
            var token = BytePairVocabulary.AddedToken(content: member.name, id: Int32(clamping: id))
            token.isSpecial = named.contains { $0.content.utf8.elementsEqual(member.name.utf8) }
            token.isNormalized = !token.isSpecial
            return token
        }.sorted { $0.id < $1.id }
    }

    /// Parses an added token: its content as a string, or an object with its properties.
    ///
    /// - Parameters:
    ///   - isSpecial: Whether the token is special, or nil to read this from the object.
    ///   - place: Where the value is, for error messages.
    /// - Throws: `UnusableTokenizer` if the token has no content.
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

// MARK: - Settings for tokenizer.json

extension TokenizerSettings {
    /// Returns the added tokens of a tokenizer.json together with those that only the other files define.
    ///
    /// - Throws: `UnusableTokenizer` if another file describes a token differently and the difference changes ids.
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
                        \(describesAddedTokens ? Self.fileName : Self.addedName) describes the added token \
                        \(JSONValue.string(token.content).text()) differently
                        """
                    )
                }
                return false
            }
    }

    /// - Throws: `UnusableTokenizer` if transformers would add a space before the text.
    func checkSpace() throws {
        guard configuration["add_prefix_space"] != .bool(true) else {
            throw UnusableTokenizer(
                "\(Self.fileName) adds a space before the text (add_prefix_space); GPT-2's does not"
            )
        }
    }
}

// MARK: - Settings for merges.txt

extension TokenizerSettings {
    /// The tokenizer classes of transformers that split text with GPT-2's pattern and add no tokens to a text.
    private static let classes = [
        "GPT2Tokenizer", "CodeGenTokenizer", "PreTrainedTokenizer", "PreTrainedTokenizerFast",
    ]

    /// Returns the added tokens of a vocabulary: the tokens that the files add, and the vocabulary's own tokens that
    /// have a role.
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

    /// - Throws: `UnusableTokenizer` if transformers would not load the tokenizer as a GPT-2 tokenizer.
    func checkClass() throws {
        try checkSpace()
        for member in ["add_bos_token", "add_eos_token"] where configuration[member] == .bool(true) {
            throw UnusableTokenizer("\(Self.fileName) adds a token to each text (\(member)); GPT-2's does not")
        }
        guard let name = configuration["tokenizer_class"]?.stringValue else { return }
        guard Self.classes.contains(where: { name == $0 || name == $0 + "Fast" }) else {
            throw UnusableTokenizer(
                "\(Self.fileName) has the class \(name), which may split text differently than GPT-2 or add tokens to it"
            )
        }
    }
}

// MARK: - End-of-text token

extension TokenizerSettings {
    /// Returns the end-of-text id: from the tokenizer's files if they name a token, else from the model's files, else
    /// the default of the vocabulary.
    ///
    /// - Parameter notice: Called with a message if the files contradict each other or name a token that does not
    ///   exist.
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
                    """
                    \(fromModel.file) has the end-of-text id \(fromModel.id), \(endOfText.file) has \(id); using \(id)
                    """
                )
            }
            return id
        }
        usual = fromModel?.id ?? usual
        notice(
            """
            \(endOfText.file) names the end-of-text token \(JSONValue.string(endOfText.content).text()), but the \
            tokenizer has no such token; using \(usual.map { "id \($0)" } ?? "no end-of-text token")
            """
        )
        return usual
    }

    /// Returns the end-of-text id from the model's files. Only ids of added tokens are accepted: transformers writes
    /// 50256 by default, even if this id is ordinary text in the vocabulary.
    private func modelEnd(
        of vocabulary: BytePairVocabulary,
        notice: (String) -> Void
    ) -> ((id: Int32, file: String)?, problem: String?) {
        var problem: String?
        for (ids, file) in modelEnds {
            let known = ids.filter { id in vocabulary.addedTokens.contains { Int($0.id) == id } }
            if let id = known.first {
                if known.count > 1 { notice("\(file) has several end-of-text ids, \(known); using only \(id)") }
                return ((Int32(id), file), nil)
            }
            problem =
                problem
                ?? "\(file) has the end-of-text id \(ids[0]), which is not an added token; using no end-of-text token"
        }
        return (nil, problem)
    }
}
