/// A tokenizer as a byte-level BPE in GPT-2's printable form, for tools that know nothing else.
///
/// Bytes are one without merges. So are characters of one byte; the bytes of each other character are joined by
/// merges of their own, first byte first. No merge joins two characters, since none begins within one.
public struct ByteLevelForm: Sendable {
    /// Each token by id, bytes as printable scalars; added tokens by their content.
    public let names: [String]
    /// Two printable tokens with a space between, the first merged first.
    public let merges: [String]
    /// Tokens that text is searched for, and not merged to.
    public let addedTokens: [BytePairVocabulary.AddedToken]

    /// Takes a `BytePairTokenizer`'s vocabulary and merges; for others makes merges that spell each token.
    public init(_ tokenizer: any Tokenizer) {
        guard let vocabulary = (tokenizer as? BytePairTokenizer)?.vocabulary else {
            let tokens = (0..<tokenizer.vocabularySize).map { tokenizer.decode([Int32($0)]) }
            names = tokens.map { PrintableBytes.text(of: $0) }
            var seen: Set<String> = []
            merges = tokens.flatMap { token in
                token.indices.dropFirst().map { index in
                    PrintableBytes.text(of: Array(token[..<index])) + " " + PrintableBytes.text(of: [token[index]])
                }
            }.filter { seen.insert($0).inserted }
            addedTokens = []
            return
        }
        names = vocabulary.names
        merges = vocabulary.mergeLines
        addedTokens = vocabulary.addedTokens
    }
}
