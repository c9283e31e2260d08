/// A trie of the contents of added tokens. It finds the longest content at a position of a text.
struct AddedTokenTrie: Sendable {
    /// The next node by node and byte. The root is node 0.
    private var nodes: [UInt64: Int] = [:]
    /// By node: the token whose content ends at the node, or nil.
    private var ends: [BytePairVocabulary.AddedToken?] = [nil]
    /// By byte: whether a content starts with the byte.
    private var begins = [Bool](repeating: false, count: 256)
    /// The length of the longest content in bytes.
    private(set) var maximumLength = 0

    /// - Parameter tokens: Tokens with distinct contents that are not empty.
    init(_ tokens: [BytePairVocabulary.AddedToken]) {
        for token in tokens {
            var node = 0
            for byte in token.content.utf8 {
                let key = Self.key(node, byte)
                if let next = nodes[key] {
                    node = next
                } else {
                    nodes[key] = ends.count
                    node = ends.count
                    ends.append(nil)
                }
            }
            ends[node] = token
            begins[Int(token.content.utf8.first!)] = true
            maximumLength = max(maximumLength, token.content.utf8.count)
        }
    }

    private static func key(_ node: Int, _ byte: UInt8) -> UInt64 { UInt64(node) << 8 | UInt64(byte) }

    /// Returns the token with the longest content that starts at `position`.
    func match(in text: UnsafeRawBufferPointer, at position: Int) -> BytePairVocabulary.AddedToken? {
        guard begins[Int(text[position])] else { return nil }
        var found: BytePairVocabulary.AddedToken?
        walk(text, from: position) { _, token in found = token ?? found }
        return found
    }

    /// Whether a content that starts at `start` ends at or after `place`, in this text or in a text that continues it.
    func reaches(_ place: Int, in text: UnsafeRawBufferPointer, from start: Int) -> Bool {
        guard begins[Int(text[start])] else { return false }
        var reaches = false
        walk(text, from: start) { end, token in
            if token != nil && end >= place || end == text.count { reaches = true }
        }
        return reaches
    }

    /// Walks down the trie along the text from `start`.
    ///
    /// - Parameter visit: Called at each node with the end of the text so far, and the token whose content ends there.
    private func walk(
        _ text: UnsafeRawBufferPointer,
        from start: Int,
        visit: (_ end: Int, BytePairVocabulary.AddedToken?) -> Void
    ) {
        var (node, position) = (0, start)
        while position < text.count, let next = nodes[Self.key(node, text[position])] {
            node = next
            position += 1
            visit(position, ends[node])
        }
    }
}
