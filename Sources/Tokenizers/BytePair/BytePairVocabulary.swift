/// The tokens of a byte-level BPE and the merges that make them. Valid by construction: see `init`.
public struct BytePairVocabulary: Equatable, Sendable {
    /// Two tokens that become one.
    public struct Merge: Hashable, Sendable {
        /// The id of what comes first in the text.
        public let left: Int32
        /// The id of what follows it.
        public let right: Int32
        /// The id of both together.
        public let result: Int32
    }

    /// What GPT-2 ends a document with.
    public static let endOfTextContent = "<|endoftext|>"

    /// The bytes of each id; those of an added token that no merge makes are its content's.
    public let tokens: [[UInt8]]
    /// The first is merged first.
    public let merges: [Merge]
    /// Ascending by id.
    public let addedTokens: [AddedToken]
    /// The id that ends a document: by default that of the added token `<|endoftext|>`, where there is one.
    public internal(set) var endOfText: Int32?
    /// The token of each single byte.
    let byteTokens: [Int32]

    /// - Parameters:
    ///   - tokens: the bytes of each id, those of `addedTokens` among them.
    ///   - merges: pairs of the bytes of two tokens, in the order in which they are merged.
    ///   - unmerged: ids of the added tokens that text is never merged to; nil for all added tokens.
    /// - Throws: `UnusableTokenizer` when a byte has no token, two tokens are the same, a merge names unknown tokens or
    ///   stands twice, or a token is made by none.
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
            throw UnusableTokenizer("its token \(id), \(PrintableBytes.quoted(token)), is made by no merge")
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
                    "it has no token for the byte 0x\(digits): it must have all 256 to encode any text"
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
                    merge \(rank + 1), \(PrintableBytes.quoted(merge.left)) and \(PrintableBytes.quoted(merge.right)), \
                    names \(PrintableBytes.quoted(token)), which is no token of it
                    """
                )
            }
            let merge = Merge(
                left: try id(merge.left),
                right: try id(merge.right),
                result: try id(merge.left + merge.right)
            )
            guard pairs.insert(UInt64(merge.left) << 32 | UInt64(merge.right)).inserted else {
                throw UnusableTokenizer("its merge \(rank + 1) stands there twice")
            }
            return merge
        }
    }

    /// The printable form of a token, or the content of an added one.
    func name(of id: Int32) -> String {
        addedTokens.first { $0.id == id }?.content ?? PrintableBytes.text(of: tokens[Int(id)])
    }

    /// The token of a name: added tokens come first.
    func id(named name: String) -> Int32? {
        if let token = addedTokens.first(where: { $0.content.utf8.elementsEqual(name.utf8) }) { return token.id }
        return PrintableBytes.token(of: name).flatMap { tokens.firstIndex(of: $0) }.map { Int32($0) }
    }

    /// A vocabulary in the order of GPT-2's: the bytes in the order of their printable forms, the merges' tokens, then
    /// `<|endoftext|>`.
    ///
    /// - Throws: `UnusableTokenizer`.
    init(merges: [(left: [UInt8], right: [UInt8])]) throws {
        var tokens = PrintableBytes.order.map { [$0] }
        tokens.reserveCapacity(merges.count + 257)
        for merge in merges { tokens.append(merge.left + merge.right) }
        let end = AddedToken(content: Self.endOfTextContent, id: Int32(tokens.count))
        tokens.append(Array(end.content.utf8))
        try self.init(tokens: tokens, merges: merges, addedTokens: [end])
    }
}

/// Why a file cannot be used as a tokenizer; whoever knows its path makes a `UserError` of it.
struct UnusableTokenizer: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
