import Platform

extension BytePairTokenizer {
    /// Writes tokenizer.json, merges.txt with vocab.json, and tokenizer.tiktoken: Hugging Face's tokenizers load the
    /// first three, tiktoken's `load_tiktoken_bpe` the last.
    ///
    /// - Throws: `UserError(.inputOutput)`.
    public func write(folder: String) throws {
        try TokenizerFile.save(self, folder: folder)
        try AtomicFile.write(vocabulary.mergesText, to: folder + "/merges.txt")
        try AtomicFile.write(vocabulary.namesText, to: folder + "/vocab.json")
        try AtomicFile.write(vocabulary.tiktokenText, to: folder + "/tokenizer.tiktoken")
    }

    /// What `write` makes.
    public static let fileNames: Set = [TokenizerFile.name, "merges.txt", "vocab.json", "tokenizer.tiktoken"]
}
