extension BytePairVocabulary {
    /// A vocabulary from the tokens that a file names, in GPT-2's printable form, and those that were added to them.
    ///
    /// An added token with the name of a token that merges make has its id: text is merged to it, and it is searched for too.
    ///
    /// - Parameters:
    ///   - members: each token's name and id; the names of added tokens may be among them.
    ///   - added: in the order in which they were added.
    /// - Throws: `UnusableTokenizer`, also where PyPI's tokenizers gives an added token another id than the file.
    init(
        members: [(name: String, id: Int?)],
        merges: [(left: [UInt8], right: [UInt8])],
        added: [AddedToken]
    ) throws {
        // Names are told apart as bytes: canonically equal strings are different tokens.
        var addedIDs: [[UInt8]: Int32] = [:]
        for token in added where addedIDs.updateValue(token.id, forKey: Array(token.content.utf8)) != nil {
            throw UnusableTokenizer("it has an added token twice")
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
                its added token "\(token.content)" has the id \(token.id), but Hugging Face's tokenizers gives it \
                \(members.count + index): added tokens follow the vocabulary, in the order in which the file has them
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
