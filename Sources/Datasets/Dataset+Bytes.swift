import Tokenizers

extension Dataset {
    /// Bytes of text that a token of a split stands for on average: what dataset.json says of the split's text, else, for bytes
    /// and characters, by counting. Nil where neither is possible.
    ///
    /// - Throws: `UserError(.data)` when an id is beyond the vocabulary.
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
