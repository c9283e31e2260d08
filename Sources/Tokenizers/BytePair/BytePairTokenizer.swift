import Platform

/// GPT-2's byte-level BPE (Radford and others, 2019), with its vocabulary or one's own.
///
/// Ids on valid UTF-8 are those of tiktoken 0.14.0's `encode_ordinary`; any other bytes are encoded too, and every text
/// comes back as it was. Text that looks like a special token is text, unless `encode(_:recognizingSpecials:into:)` is
/// asked.
///
/// Threads may encode at once. Each call borrows an encoder with a cache of its own, and as many are kept as ever
/// worked at the same time.
public final class BytePairTokenizer: Tokenizer {
    /// `bpe`.
    public let name = "bpe"
    /// Its tokens and merges.
    public let vocabulary: BytePairVocabulary
    /// The id of `<|endoftext|>`; nil for a vocabulary without it.
    public let endOfText: Int32?

    /// All tokens' bytes, one after the other, and where each starts.
    private let bytes: [UInt8]
    private let starts: [Int]
    private let table: MergeTable
    /// By byte: whether the content of a special token begins with it.
    private let beginsSpecial: [Bool]
    private let idle = Guarded<[Borrowed]>([])

    /// An encoder that one thread at a time uses: whoever took it out of `idle`.
    private struct Borrowed: @unchecked Sendable {
        let encoder: BytePairEncoder
    }

    /// Builds the tables of merges; threads can share the result.
    public init(_ vocabulary: BytePairVocabulary) {
        self.vocabulary = vocabulary
        endOfText = vocabulary.endOfText
        table = MergeTable(vocabulary.merges, byteTokens: vocabulary.byteTokens)
        var starts = [0]
        var bytes: [UInt8] = []
        for token in vocabulary.tokens {
            bytes += token
            starts.append(bytes.count)
        }
        (self.bytes, self.starts) = (bytes, starts)
        var beginsSpecial = [Bool](repeating: false, count: 256)
        for special in vocabulary.specials { beginsSpecial[Int(special.content.utf8.first!)] = true }
        self.beginsSpecial = beginsSpecial
    }

    /// All tokens, special ones included.
    public var vocabularySize: Int { vocabulary.tokens.count }

    /// Appends the ids; what looks like a special token is encoded as text.
    public func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) {
        let borrowed = idle.withLock { $0.popLast() } ?? Borrowed(encoder: BytePairEncoder(vocabulary, table))
        borrowed.encoder.encode(text, into: &ids)
        idle.withLock { $0.append(borrowed) }
    }

    /// Appends the ids of a text in which the contents of special tokens stand for these; of two that begin at the same
    /// place, the longer.
    public func encode(_ text: UnsafeRawBufferPointer, recognizingSpecials: Bool, into ids: inout [Int32]) {
        guard recognizingSpecials else { return encode(text, into: &ids) }
        var start = 0
        var position = 0
        while position < text.count {
            guard beginsSpecial[Int(text[position])], let special = special(in: text, at: position) else {
                position += 1
                continue
            }
            encode(UnsafeRawBufferPointer(rebasing: text[start..<position]), into: &ids)
            ids.append(special.id)
            position += special.content.utf8.count
            start = position
        }
        encode(UnsafeRawBufferPointer(rebasing: text[start...]), into: &ids)
    }

    private func special(in text: UnsafeRawBufferPointer, at position: Int) -> BytePairVocabulary.Special? {
        var longest: BytePairVocabulary.Special?
        for special in vocabulary.specials where text[position...].starts(with: special.content.utf8) {
            if special.content.utf8.count > longest?.content.utf8.count ?? 0 { longest = special }
        }
        return longest
    }

    /// The bytes of some ids, special tokens as their content; ids outside the vocabulary give nothing.
    public func decode(_ ids: [Int32]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(4 * ids.count)
        for id in ids where id >= 0 && id < vocabularySize { text += bytes[starts[Int(id)]..<starts[Int(id) + 1]] }
        return text
    }

    /// The last place between two pre-tokens that what follows cannot move, as a byte offset; 0 when there is none.
    public func lastCut(in text: UnsafeRawBufferPointer) -> Int {
        PreTokenScanner(text).lastCut()
    }
}
