/// The tokens of a byte-level BPE and the merges that produce them. The initializers reject invalid vocabularies.
public struct BytePairVocabulary: Equatable, Sendable {
    /// A rule that replaces two adjacent tokens with one.
    public struct Merge: Hashable, Sendable {
        /// The id of the first token of the pair.
        public let left: Int32
        /// The id of the second token of the pair.
        public let right: Int32
        /// The id of the merged token.
        public let result: Int32
    }

    /// The content of GPT-2's end-of-text token.
    public static let endOfTextContent = "<|endoftext|>"

    /// The bytes of each token, indexed by id. An added token that no merge produces has the bytes of its content.
    public let tokens: [[UInt8]]
    /// The merges in order of priority: the first one is applied first.
    public let merges: [Merge]
    /// The added tokens in ascending order of ids.
    public let addedTokens: [AddedToken]
    /// The id that marks the end of a document, or nil. The default is the added token `<|endoftext|>` if it exists.
    public internal(set) var endOfText: Int32?
    /// The token of each single byte, indexed by byte.
    let byteTokens: [Int32]

    /// - Parameters:
    ///   - tokens: The bytes of each token by id, including added tokens.
    ///   - merges: The bytes of both tokens of each pair, in order of priority.
    ///   - unmerged: The ids of the added tokens that merging never produces, or nil for all added tokens.
    /// - Throws: `UnusableTokenizer` if a byte has no token, two tokens are equal, a merge has an unknown token or
    ///   occurs twice, or no merge produces a token.
    init(
        tokens: [[UInt8]],
        merges: [(left: [UInt8], right: [UInt8])],
        addedTokens: [AddedToken],
        unmerged: Set<Int32>? = nil
    ) throws {
        let addedTokens = addedTokens.sorted { $0.id < $1.id }
        for token in addedTokens where token.content.isEmpty {
            throw UnusableTokenizer("its added token \(token.id) is empty")
        }
        let ids = try Self.ids(of: tokens, without: unmerged ?? Set(addedTokens.map(\.id)))
        byteTokens = try Self.byteTokens(ids)
        self.merges = try Self.merges(merges, ids)
        let made = Set(self.merges.map(\.result))
        for (token, id) in ids where token.count > 1 && !made.contains(id) {
            throw UnusableTokenizer("no merge produces its token \(id), \(PrintableBytes.quoted(token))")
        }
        self.tokens = tokens
        self.addedTokens = addedTokens.withoutRedundantNormalization
        endOfText = addedTokens.first { $0.content == Self.endOfTextContent }?.id
    }

    private static func ids(of tokens: [[UInt8]], without unmerged: Set<Int32>) throws -> [[UInt8]: Int32] {
        var ids: [[UInt8]: Int32] = [:]
        ids.reserveCapacity(tokens.count)
        for (id, token) in tokens.enumerated() where !unmerged.contains(Int32(id)) {
            guard !token.isEmpty else { throw UnusableTokenizer("its token \(id) is empty") }
            if let first = ids.updateValue(Int32(id), forKey: token) {
                throw UnusableTokenizer("its tokens \(first) and \(id) are the same, \(PrintableBytes.quoted(token))")
            }
        }
        return ids
    }

    private static func byteTokens(_ ids: [[UInt8]: Int32]) throws -> [Int32] {
        try (0..<256).map { byte in
            guard let id = ids[[UInt8(byte)]] else {
                let digits = String(byte, radix: 16, uppercase: true)
                throw UnusableTokenizer(
                    "it has no token for the byte 0x\(digits); it needs a token for each of the 256 bytes"
                )
            }
            return id
        }
    }

    private static func merges(
        _ merges: [(left: [UInt8], right: [UInt8])],
        _ ids: [[UInt8]: Int32]
    ) throws -> [Merge] {
        var pairs: Set<UInt64> = []
        pairs.reserveCapacity(merges.count)
        return try merges.enumerated().map { rank, merge in
            func id(_ token: [UInt8]) throws -> Int32 {
                if let id = ids[token] { return id }
                throw UnusableTokenizer(
                    """
                    its merge \(rank + 1), \(PrintableBytes.quoted(merge.left)) and \
                    \(PrintableBytes.quoted(merge.right)), needs the token \(PrintableBytes.quoted(token)), which is \
                    not in the vocabulary
                    """
                )
            }
            let merge = Merge(
                left: try id(merge.left),
                right: try id(merge.right),
                result: try id(merge.left + merge.right)
            )
            guard pairs.insert(UInt64(merge.left) << 32 | UInt64(merge.right)).inserted else {
                throw UnusableTokenizer("its merge \(rank + 1) is a duplicate")
            }
            return merge
        }
    }

    /// Returns the content of an added token, or the printable form of any other token.
    func name(of id: Int32) -> String {
        addedTokens.first { $0.id == id }?.content ?? PrintableBytes.text(of: tokens[Int(id)])
    }

    /// Returns the token with a name. Added tokens take precedence.
    func id(named name: String) -> Int32? {
        if let token = addedTokens.first(where: { $0.content.utf8.elementsEqual(name.utf8) }) { return token.id }
        return PrintableBytes.token(of: name).flatMap { tokens.firstIndex(of: $0) }.map { Int32($0) }
    }

    /// Creates a vocabulary in GPT-2's order: the bytes in the order of their printable forms, the merged tokens, then
    /// `<|endoftext|>`.
    ///
    /// - Throws: `UnusableTokenizer` if the merges are not valid.
    init(merges: [(left: [UInt8], right: [UInt8])]) throws {
        var tokens = PrintableBytes.order.map { [$0] }
        tokens.reserveCapacity(merges.count + 257)
        for merge in merges { tokens.append(merge.left + merge.right) }
        let end = AddedToken(content: Self.endOfTextContent, id: Int32(tokens.count))
        tokens.append(Array(end.content.utf8))
        try self.init(tokens: tokens, merges: merges, addedTokens: [end])
    }
}

/// The reason why a file cannot be used as a tokenizer. `naming(_:_:)` turns it into a `UserError` with the path.
struct UnusableTokenizer: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
