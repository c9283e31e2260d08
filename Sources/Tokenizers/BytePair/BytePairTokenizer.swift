import Platform

/// GPT-2's byte-level BPE (Radford et al., 2019), with GPT-2's vocabulary or another one.
///
/// For valid UTF-8, the ids equal those of `encode_ordinary` in tiktoken 0.14.0. All other bytes can be encoded too.
/// Decoding the ids of any text returns the same bytes. Added tokens are found in the same way as in Hugging Face's
/// tokenizers. The text of a special token is encoded as plain text unless the caller asks for special tokens.
///
/// Several threads can encode at the same time. Each call takes an encoder with its own cache from a pool. The pool
/// grows to the largest number of simultaneous calls.
public final class BytePairTokenizer: Tokenizer {
    /// The kind of tokenizer: `bpe`.
    public let name = "bpe"
    /// The tokens and merges.
    public let vocabulary: BytePairVocabulary
    /// The id that marks the end of a document, or nil if the vocabulary has none.
    public let endOfText: Int32?

    /// The bytes of all tokens without separators. `starts` has the start of each token, and the end of the last one.
    private let bytes: [UInt8]
    private let starts: [Int]
    private let table: MergeTable
    /// Finds the added tokens that `encode(_:into:)` recognizes; nil if it recognizes none.
    private let addedTokens: AddedTokenSplitter?
    /// Finds all added tokens, including special ones; nil if there are none.
    private let allAddedTokens: AddedTokenSplitter?
    private let idleEncoders = Guarded<[PooledEncoder]>([])

    /// An encoder in the pool. Only the thread that removed it from the pool uses it, so it can be sent between
    /// threads.
    private struct PooledEncoder: @unchecked Sendable {
        let encoder: BytePairEncoder
    }

    /// Creates a tokenizer for a vocabulary and builds its merge table.
    ///
    /// - Parameters:
    ///   - vocabulary: The tokens and merges.
    ///   - recognizingSpecials: Whether every call encodes the text of a special token as this token.
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

    /// The number of tokens, including special tokens.
    public var vocabularySize: Int { vocabulary.tokens.count }

    /// Appends the ids of a text. The text of a special token is encoded as plain text, unless the tokenizer was
    /// created with `recognizingSpecials`.
    public func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) {
        encode(text, addedTokens, into: &ids)
    }

    /// Appends the ids of a text.
    ///
    /// - Parameters:
    ///   - text: Any bytes.
    ///   - recognizingSpecials: Whether the text of a special token is encoded as this token.
    ///   - ids: The array to append to.
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

    /// Returns the bytes that the ids stand for, and the content of added tokens. Ids outside the vocabulary are
    /// skipped.
    public func decode(_ ids: [Int32]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(4 * ids.count)
        for id in ids where id >= 0 && id < vocabularySize { text += bytes[starts[Int(id)]..<starts[Int(id) + 1]] }
        return text
    }

    /// Returns the byte offset of the last boundary between two pre-tokens that no following text can change, or 0 if
    /// there is none.
    public func lastCut(in text: UnsafeRawBufferPointer) -> Int {
        addedTokens?.lastCut(in: text) ?? PreTokenScanner(text).lastCut()
    }
}
