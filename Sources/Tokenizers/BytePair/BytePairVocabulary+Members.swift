extension BytePairVocabulary {
    /// Creates a vocabulary from the tokens in a file, in GPT-2's printable form, and its added tokens.
    ///
    /// If an added token has the name of a token that merges produce, both share one id: the token is found by merging
    /// and by searching the text.
    ///
    /// - Parameters:
    ///   - members: The name and id of each token. Added tokens may be included.
    ///   - merges: The pairs of tokens to merge, in order of priority.
    ///   - added: The added tokens, in the order of the file.
    /// - Throws: `UnusableTokenizer` if the vocabulary is not valid, or if Hugging Face's tokenizers would give an
    ///   added token another id than the file.
    init(
        members: [(name: String, id: Int?)],
        merges: [(left: [UInt8], right: [UInt8])],
        added: [AddedToken]
    ) throws {
        // Compares names as bytes, because Swift treats canonically equivalent strings as equal.
        var addedIDs: [[UInt8]: Int32] = [:]
        for token in added where addedIDs.updateValue(token.id, forKey: Array(token.content.utf8)) != nil {
            throw UnusableTokenizer("it has the added token \"\(token.content)\" twice")
        }
        var named: Set<[UInt8]> = []
        for member in members {
            let name = Array(member.name.utf8)
            guard let id = addedIDs[name] else { continue }
            guard member.id == Int(id) else {
                let other = member.id.map { String($0) } ?? "none"
                throw UnusableTokenizer("its token \"\(member.name)\" has two ids, \(other) and \(id)")
            }
            named.insert(name)
        }
        let new = added.filter { !named.contains(Array($0.content.utf8)) }
        for (index, token) in new.enumerated() where Int(token.id) != members.count + index {
            throw UnusableTokenizer(
                """
                its added token "\(token.content)" has the id \(token.id), but Hugging Face's tokenizers gives it the id \
                \(members.count + index): the ids of added tokens follow the vocabulary, in the order of the file
                """
            )
        }
        let made = Set(merges.map { $0.left + $0.right })
        let names = try TokenizerFile.byID(members + new.map { (name: $0.content, id: Int($0.id) as Int?) })
        var unmerged: Set<Int32> = []
        let tokens = try names.enumerated().map { id, name in
            let content = Array(name.utf8)
            if addedIDs[content] != nil {
                if named.contains(content), let token = PrintableBytes.token(of: name),
                    token.count == 1 || made.contains(token)
                {
                    return token
                }
                unmerged.insert(Int32(id))
                return content
            }
            return try TokenizerFile.bytes(of: name)
        }
        try self.init(tokens: tokens, merges: merges, addedTokens: added, unmerged: unmerged)
    }
}
