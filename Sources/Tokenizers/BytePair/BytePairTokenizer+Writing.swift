import Platform

extension BytePairTokenizer {
    /// Writes the tokenizer in three formats.
    ///
    /// Hugging Face's tokenizers loads tokenizer.json, and merges.txt with vocab.json. tiktoken's `load_tiktoken_bpe`
    /// loads tokenizer.tiktoken.
    ///
    /// - Throws: `UserError(.inputOutput)` if a file cannot be written.
    public func write(folder: String) throws {
        try TokenizerFile.save(self, folder: folder)
        try AtomicFile.write(vocabulary.mergesText, to: folder + "/merges.txt")
        try AtomicFile.write(vocabulary.namesText, to: folder + "/vocab.json")
        try AtomicFile.write(vocabulary.tiktokenText, to: folder + "/tokenizer.tiktoken")
    }

    /// The names of the files that `write(folder:)` writes.
    public static let fileNames: Set = [TokenizerFile.name, "merges.txt", "vocab.json", "tokenizer.tiktoken"]
}
