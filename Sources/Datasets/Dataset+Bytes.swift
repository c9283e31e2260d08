import Tokenizers

extension Dataset {
    /// The mean number of bytes of text per token of a split.
    ///
    /// The value comes from the text size in dataset.json. Without it, byte and character tokens are counted; for other
    /// tokens and for an empty split the result is nil.
    ///
    /// - Throws: `UserError(.data)` if an id is not below the vocabulary size.
    public func bytesPerToken(of split: Split) throws -> Double? {
        let sequence = sequence(of: split)
        guard sequence.count > 0 else { return nil }
        if let bytes = textBytes[split], bytes > 0 { return Double(bytes) / Double(sequence.count) }
        if tokenizer is ByteTokenizer { return 1 }
        guard let characters = tokenizer as? CharacterTokenizer else { return nil }
        let lengths = characters.scalars.map { UTF8.width($0) }
        guard lengths.contains(where: { $0 > 1 }) else { return 1 }
        var tokens = [Int32](repeating: 0, count: min(sequence.count, 1 << 16))
        var bytes = 0
        for start in stride(from: 0, to: sequence.count, by: tokens.count) {
            let count = min(tokens.count, sequence.count - start)
            try tokens.withUnsafeMutableBufferPointer { tokens in
                try sequence.copy(from: start, count: count, into: tokens.baseAddress!)
                for index in 0..<count { bytes += lengths[Int(tokens[index])] }
            }
        }
        return Double(bytes) / Double(sequence.count)
    }
}
