import Platform

/// GPT-2's byte-level BPE (Radford and others, 2019), with its vocabulary or one's own.
///
/// Ids on valid UTF-8 are those of tiktoken 0.14.0's `encode_ordinary`; any other bytes are encoded too, and every text
/// comes back as it was. Added tokens are found in text as Hugging Face's tokenizers finds them. Text that looks like a
/// special token is text, unless special tokens are asked for.
///
/// Threads may encode at once. Each call borrows an encoder with a cache of its own, and as many are kept as ever
/// worked at the same time.
public final class BytePairTokenizer: Tokenizer {
    /// `bpe`.
    public let name = "bpe"
    /// Its tokens and merges.
    public let vocabulary: BytePairVocabulary
    /// Nil for a vocabulary without one.
    public let endOfText: Int32?

    /// All tokens' bytes, one after the other, and where each starts.
    private let bytes: [UInt8]
    private let starts: [Int]
    private let table: MergeTable
    /// Finds the added tokens that `encode(_:into:)` takes as tokens; nil where it takes none.
    private let addedTokens: AddedTokenSplitter?
    /// The same with special tokens.
    private let allAddedTokens: AddedTokenSplitter?
    private let idleEncoders = Guarded<[PooledEncoder]>([])

    /// An encoder that one thread at a time uses: whoever took it out of `idleEncoders`.
    private struct PooledEncoder: @unchecked Sendable {
        let encoder: BytePairEncoder
    }

    /// Builds the tables of merges; threads can share the result.
    ///
    /// - Parameter recognizingSpecials: whether text that looks like a special token always stands for it.
    public init(_ vocabulary: BytePairVocabulary, recognizingSpecials: Bool = false) {
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
        let added = vocabulary.addedTokens
        allAddedTokens = AddedTokenSplitter(added, recognizingSpecials: true)
        addedTokens = recognizingSpecials ? allAddedTokens : AddedTokenSplitter(added, recognizingSpecials: false)
    }

    /// All tokens, special ones included.
    public var vocabularySize: Int { vocabulary.tokens.count }

    /// Appends the ids; what looks like a special token is encoded as text, unless the tokenizer was made to recognize it.
    public func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) {
        encode(text, addedTokens, into: &ids)
    }

    /// Appends the ids of a text in which the contents of special tokens stand for these, where that is asked for.
    public func encode(_ text: UnsafeRawBufferPointer, recognizingSpecials: Bool, into ids: inout [Int32]) {
        encode(text, recognizingSpecials ? allAddedTokens : addedTokens, into: &ids)
    }

    private func encode(_ text: UnsafeRawBufferPointer, _ splitter: AddedTokenSplitter?, into ids: inout [Int32]) {
        let pooled =
            idleEncoders.withLock { $0.popLast() } ?? PooledEncoder(encoder: BytePairEncoder(vocabulary, table))
        if let splitter {
            splitter.split(text) {
                pooled.encoder.encode($0, into: &ids)
            } onToken: {
                ids.append($0)
            }
        } else {
            pooled.encoder.encode(text, into: &ids)
        }
        idleEncoders.withLock { $0.append(pooled) }
    }

    /// The bytes of some ids, added tokens as their content; ids outside the vocabulary give nothing.
    public func decode(_ ids: [Int32]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(4 * ids.count)
        for id in ids where id >= 0 && id < vocabularySize { text += bytes[starts[Int(id)]..<starts[Int(id) + 1]] }
        return text
    }

    /// The last place between two pre-tokens that what follows cannot move, as a byte offset; 0 when there is none.
    public func lastCut(in text: UnsafeRawBufferPointer) -> Int {
        addedTokens?.lastCut(in: text) ?? PreTokenScanner(text).lastCut()
    }
}
