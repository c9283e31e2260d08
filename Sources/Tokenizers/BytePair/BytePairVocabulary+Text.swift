import Formats

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

// Reads and writes vocabularies in the text formats of GPT-2 and tiktoken. GPT-2's files are vocab.bpe and
// encoder.json; Hugging Face calls them merges.txt and vocab.json.

// MARK: - Writing

extension BytePairVocabulary {
    /// The name of each token by id: the content of added tokens, and the printable form of the others.
    var names: [String] {
        var names = tokens.map { PrintableBytes.text(of: $0) }
        for token in addedTokens { names[Int(token.id)] = token.content }
        return names
    }

    /// Each merge as two printable tokens separated by a space.
    var mergeLines: [String] {
        merges.map {
            PrintableBytes.text(of: tokens[Int($0.left)]) + " " + PrintableBytes.text(of: tokens[Int($0.right)])
        }
    }

    /// The text of merges.txt.
    var mergesText: String { "#version: 0.2\n" + mergeLines.map { $0 + "\n" }.joined() }

    /// The text of vocab.json.
    var namesText: String {
        JSONValue.object(names.enumerated().map { .init($0.element, .integer($0.offset)) }).text() + "\n"
    }

    /// The text of a .tiktoken file. Each line has the bytes of a token in Base64 and its id, which is also its rank.
    /// Added tokens are left out.
    var tiktokenText: String {
        let addedIDs = Set(addedTokens.map { Int($0.id) })
        return tokens.enumerated().filter { !addedIDs.contains($0.offset) }
            .map { "\(Data($0.element).base64EncodedString()) \($0.offset)\n" }.joined()
    }
}

// MARK: - Reading

extension BytePairVocabulary {
    /// Reads a vocabulary from merges.txt or vocab.bpe.
    ///
    /// - Parameters:
    ///   - names: The contents of vocab.json or encoder.json in the same folder, or nil for GPT-2's order of ids.
    ///   - settings: The settings from the other files in the folder.
    /// - Throws: `UnusableTokenizer` if the files are not valid.
    init(mergesText: UnsafeRawBufferPointer, names: JSONValue?, settings: TokenizerSettings = .init()) throws {
        let merges = try Self.merges(mergesText)
        guard let names else {
            guard !settings.addedTokens.isEmpty else {
                try self.init(merges: merges)
                return
            }
            let members = try Self(merges: merges).names.enumerated().map { (name: $0.element, id: $0.offset as Int?) }
            try self.init(members: members, merges: merges, added: settings.added(to: members))
            return
        }
        guard let vocabulary = names.objectValue else {
            throw UnusableTokenizer("the vocab.json or encoder.json in its folder is not a JSON object")
        }
        let members = vocabulary.map { (name: $0.name, id: $0.value.integerValue) }
        var added = settings.added(to: members)
        let known = Set(added.map { Array($0.content.utf8) })
        let made = Set(merges.map { $0.left + $0.right })
        for member in members where !known.contains(Array(member.name.utf8)) {
            if let token = PrintableBytes.token(of: member.name), token.count == 1 || made.contains(token) { continue }
            guard member.name.hasPrefix("<"), member.name.hasSuffix(">") else {
                throw UnusableTokenizer(
                    "no merge produces the token \"\(member.name)\" of the vocab.json or encoder.json in its folder"
                )
            }
            added.append(AddedToken(content: member.name, id: Int32(clamping: member.id ?? -1)))
        }
        try self.init(members: members, merges: merges, added: added)
    }

    private static func merges(_ text: UnsafeRawBufferPointer) throws -> [(left: [UInt8], right: [UInt8])] {
        var merges: [(left: [UInt8], right: [UInt8])] = []
        for (number, line) in try lines(text).enumerated() {
            // The first line has the version of the format. A later line may start with # too: it is a merge.
            if number == 0, line.hasPrefix("#version") { continue }
            let parts = line.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map {
                Substring($0)
            }
            guard parts.count == 2, let left = PrintableBytes.token(of: parts[0]), !left.isEmpty,
                let right = PrintableBytes.token(of: parts[1]), !right.isEmpty
            else {
                throw UnusableTokenizer(
                    "its line \(number + 1) is not two tokens in GPT-2's byte-level encoding separated by a space"
                )
            }
            merges.append((left, right))
        }
        guard !merges.isEmpty else { throw UnusableTokenizer("it has no merges") }
        return merges
    }

    /// Reads a vocabulary from a .tiktoken file and appends `<|endoftext|>`.
    ///
    /// tiktoken merges two tokens if their joined bytes are a token, lowest id first. The file has no merges, so this
    /// initializer derives them: merging the bytes of a token with only the tokens of lower ids must leave two tokens,
    /// which are the pair of its merge.
    /// - Throws: `UnusableTokenizer` if the file is not valid.
    init(tiktokenText: UnsafeRawBufferPointer) throws {
        let lines = try Self.lines(tiktokenText)
        guard !lines.isEmpty else { throw UnusableTokenizer("it is empty") }
        var tokens = [[UInt8]](repeating: [], count: lines.count)
        var ids: [[UInt8]: Int] = [:]
        ids.reserveCapacity(lines.count)
        for (number, line) in lines.enumerated() {
            let parts = line.split(separator: " ")
            guard parts.count == 2, let bytes = Data(base64Encoded: String(parts[0])), !bytes.isEmpty,
                let id = Int(parts[1])
            else {
                throw UnusableTokenizer("its line \(number + 1) is not a token in Base64 and an id")
            }
            guard tokens.indices.contains(id), tokens[id].isEmpty else {
                throw UnusableTokenizer("its ids are not 0 to \(lines.count - 1), each exactly once")
            }
            tokens[id] = Array(bytes)
            ids[tokens[id]] = id
        }
        var merges: [(left: [UInt8], right: [UInt8])] = []
        for (id, token) in tokens.enumerated() where token.count > 1 {
            let parts = Self.parts(of: token, before: id, ids)
            guard parts.count == 2 else {
                throw UnusableTokenizer(
                    "no pair of tokens with lower ids produces its token \(id), \(PrintableBytes.quoted(token))"
                )
            }
            merges.append((parts[0], parts[1]))
        }
        let end = AddedToken(content: Self.endOfTextContent, id: Int32(tokens.count))
        tokens.append(Array(end.content.utf8))
        try self.init(tokens: tokens, merges: merges, addedTokens: [end])
    }

    /// Returns the number of tokens in a .tiktoken file.
    static func tiktokenCount(_ text: UnsafeRawBufferPointer) -> Int {
        text.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.count
    }

    /// Rejects tokens that GPT-2's pattern splits, because they show that the vocabulary was trained with another
    /// pattern.
    ///
    /// Checks only ASCII tokens, because character classes depend on the version of Unicode. Skips tokens that start
    /// with an apostrophe, because they are parts of contractions.
    /// - Throws: `UnusableTokenizer` with the first such token.
    func checkPattern() throws {
        let added = Set(addedTokens.map { Int($0.id) })
        for (id, token) in tokens.enumerated() where token.count > 1 && !added.contains(id) {
            guard token.allSatisfy({ 0x20..<0x7F ~= $0 || 0x09...0x0D ~= $0 }), token[0] != UInt8(ascii: "'") else {
                continue
            }
            let end = token.withUnsafeBytes { PreTokenScanner($0).end(from: 0) }
            guard end == token.count else {
                throw UnusableTokenizer(
                    """
                    GPT-2's pattern splits its token \(id), \(PrintableBytes.quoted(token)), so it was trained with \
                    another pattern
                    """
                )
            }
        }
    }

    /// Merges the bytes of a token with only the tokens of lower ids, and returns the remaining parts.
    private static func parts(of token: [UInt8], before limit: Int, _ ids: [[UInt8]: Int]) -> [[UInt8]] {
        var parts = token.map { [$0] }
        while parts.count > 2 {
            let ranks = (1..<parts.count).map { ids[parts[$0 - 1] + parts[$0]] ?? limit }
            guard let best = ranks.min(), best < limit, let place = ranks.firstIndex(of: best) else { break }
            parts[place] += parts.remove(at: place + 1)
        }
        return parts
    }

    private static func lines(_ text: UnsafeRawBufferPointer) throws -> [Substring] {
        guard let text = String(validating: text, as: UTF8.self) else { throw UnusableTokenizer("it is not UTF-8") }
        return text.utf8.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.map { Substring($0) }
    }
}
