extension Tokenizer {
    /// The token that a text begins from when nothing stands before it: the end of another text, or the first token where
    /// the tokenizer has no such.
    public var startToken: Int32 { endOfText ?? 0 }

    /// What a model goes on from when it is given no text, as nanoGPT's sample.py: a new line, where the vocabulary has one.
    public var defaultPrompt: (ids: [Int32], text: [UInt8]) {
        let line = Array("\n".utf8)
        if let ids = try? encode(line) { return (ids, line) }
        return ([startToken], [])
    }

    /// The ids of a text that a model is to go on from, in which `<|endoftext|>` and the like stand for these tokens, as in
    /// nanoGPT's sample.py.
    ///
    /// - Throws: as `encode(_:into:)`.
    public func encodePrompt(_ text: [UInt8]) throws -> [Int32] {
        guard let tokenizer = self as? BytePairTokenizer else { return try encode(text) }
        var ids: [Int32] = []
        text.withUnsafeBytes { tokenizer.encode($0, recognizingSpecials: true, into: &ids) }
        return ids
    }

    /// What files call the token that ends a text; nil where there is none.
    public var endOfTextName: String? {
        endOfText.flatMap { (self as? BytePairTokenizer)?.vocabulary.name(of: $0) }
    }
}
