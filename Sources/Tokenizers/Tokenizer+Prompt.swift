extension Tokenizer {
    /// The token that a text begins from when nothing stands before it: the end of another text, or the first token where
    /// the tokenizer has no such.
    public var beforeText: Int32 { endOfText ?? 0 }

    /// What a model goes on from when it is given no text, as nanoGPT's sample.py: a new line, where the vocabulary has one.
    public var usualPrompt: (ids: [Int32], text: [UInt8]) {
        let line = Array("\n".utf8)
        if let ids = try? encode(line) { return (ids, line) }
        return ([beforeText], [])
    }
}
