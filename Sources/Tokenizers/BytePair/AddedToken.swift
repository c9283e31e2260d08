extension BytePairVocabulary {
    /// A token that text is searched for before it is split and merged, as the added tokens of Hugging Face's tokenizers.
    public struct AddedToken: Equatable, Sendable {
        /// Such as `<|endoftext|>`; not empty.
        public let content: String
        /// Its place in `tokens`.
        public internal(set) var id: Int32
        /// Whether it is searched for only where that is asked for: else its content is text.
        public var isSpecial = true
        /// Whether it is searched for in what the tokens that are not normalized leave.
        public var isNormalized = false
        /// Whether it takes the white space before it.
        public var stripsLeft = false
        /// Whether it takes the white space after it.
        public var stripsRight = false
        /// Whether it is found only between characters that belong to no word.
        public var isSingleWord = false

        /// A special token. The vocabulary that takes it checks it.
        public init(content: String, id: Int32) {
            self.content = content
            self.id = id
        }

        /// Whether its content alone decides where it is found.
        public var isPlain: Bool { !stripsLeft && !stripsRight && !isSingleWord }
    }
}

extension [BytePairVocabulary.AddedToken] {
    /// The same tokens, not normalized where that makes no difference in any text: equal tokenizers then have equal files.
    ///
    /// It makes one where contents of both kinds can overlap in a text, or a token looks at what stands beside it.
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
    /// Whether a content can begin within that of another token.
    fileprivate func overlaps(_ token: BytePairVocabulary.AddedToken) -> Bool {
        Array(token.content.utf8).withUnsafeBytes { content in
            content.indices.contains {
                match(in: content, at: $0) != nil || reaches(content.count, in: content, from: $0)
            }
        }
    }
}
