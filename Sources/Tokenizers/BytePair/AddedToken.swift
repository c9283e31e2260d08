extension BytePairVocabulary {
    /// A token that is found by searching the text for its content, before the text is split and merged. Hugging Face's
    /// tokenizers calls these added tokens.
    public struct AddedToken: Equatable, Sendable {
        /// The text that the token stands for, such as `<|endoftext|>`. Not empty.
        public let content: String
        /// The token's index in `BytePairVocabulary.tokens`.
        public internal(set) var id: Int32
        /// Whether encoding searches for this token only on request. Otherwise its content is encoded as plain text.
        public var isSpecial = true
        /// Whether the token is searched for in the second pass, in the text between the tokens of the first pass. The
        /// first pass searches for the tokens that are not normalized.
        public var isNormalized = false
        /// Whether the token includes the white space before it.
        public var stripsLeft = false
        /// Whether the token includes the white space after it.
        public var stripsRight = false
        /// Whether the token is found only if the characters next to it are not word characters.
        public var isSingleWord = false

        /// Creates a special token. `BytePairVocabulary` checks the content and the id.
        public init(content: String, id: Int32) {
            self.content = content
            self.id = id
        }

        /// Whether the token is found wherever its content occurs, regardless of the text around it.
        public var isPlain: Bool { !stripsLeft && !stripsRight && !isSingleWord }
    }
}

extension [BytePairVocabulary.AddedToken] {
    /// The same tokens with `isNormalized` set to false if that changes the ids of no text. Tokenizers that encode
    /// alike then have equal files.
    ///
    /// The flag matters if some tokens are normalized and others are not, and either their contents can overlap in a
    /// text or a token depends on the text around it.
    var withoutRedundantNormalization: Self {
        let kinds = [filter(\.isNormalized), filter { !$0.isNormalized }]
        if !kinds.contains(where: \.isEmpty) {
            guard allSatisfy(\.isPlain) else { return self }
            let tries = kinds.map { AddedTokenTrie($0) }
            for (kind, other) in [(kinds[0], tries[1]), (kinds[1], tries[0])] where kind.contains(where: other.overlaps)
            {
                return self
            }
        }
        return map { token in
            var token = token
            token.isNormalized = false
            return token
        }
    }
}

extension AddedTokenTrie {
    /// Whether the content of a token in the trie can start within the content of `token`.
    fileprivate func overlaps(_ token: BytePairVocabulary.AddedToken) -> Bool {
        Array(token.content.utf8).withUnsafeBytes { content in
            content.indices.contains {
                match(in: content, at: $0) != nil || reaches(content.count, in: content, from: $0)
            }
        }
    }
}
