extension Tokenizer {
    /// The token to start generating from when there is no prompt: the end-of-text token, or id 0 if the tokenizer has
    /// no end-of-text token.
    public var startToken: Int32 { endOfText ?? 0 }

    /// The prompt to use when the user gives none: a newline, as in nanoGPT's sample.py, or `startToken` without text
    /// if the vocabulary has no newline.
    public var defaultPrompt: (ids: [Int32], text: [UInt8]) {
        let line = Array("\n".utf8)
        if let ids = try? encode(line) { return (ids, line) }
        return ([startToken], [])
    }

    /// Encodes a prompt. Unlike `encode(_:)`, it turns the text of special tokens such as `<|endoftext|>` into these
    /// tokens, as nanoGPT's sample.py does.
    ///
    /// - Throws: `UserError(.data)` like `encode(_:into:)`.
    public func encodePrompt(_ text: [UInt8]) throws -> [Int32] {
        guard let tokenizer = self as? BytePairTokenizer else { return try encode(text) }
        var ids: [Int32] = []
        text.withUnsafeBytes { tokenizer.encode($0, recognizingSpecials: true, into: &ids) }
        return ids
    }

    /// The name of the end-of-text token in tokenizer files, or nil if there is no such token.
    public var endOfTextName: String? {
        endOfText.flatMap { (self as? BytePairTokenizer)?.vocabulary.name(of: $0) }
    }
}
