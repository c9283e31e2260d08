/// A tokenizer rewritten as a byte-level BPE in GPT-2's printable form, for formats that support no other tokenizer.
///
/// The byte tokenizer needs no merges. The character tokenizer needs merges only for characters of two or more
/// bytes: they join the bytes of one character from left to right, and never join two characters.
public struct ByteLevelForm: Sendable {
    /// The text of each token by id: bytes as printable scalars, and added tokens as their content.
    public let names: [String]
    /// Each merge as two printable tokens separated by a space, in order of priority.
    public let merges: [String]
    /// Tokens that are found by searching the text for their content, not by merging.
    public let addedTokens: [BytePairVocabulary.AddedToken]

    /// Copies the vocabulary and merges of a `BytePairTokenizer`. For other tokenizers, makes merges that build each
    /// token from its bytes.
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
