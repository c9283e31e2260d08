/// The contents of added tokens by their bytes, to find the maximumLength that a place of a text begins with.
struct AddedTokenTrie: Sendable {
    /// By node and byte: the node that follows. The root is node 0.
    private var nodes: [UInt64: Int] = [:]
    /// By node: the token whose content ends there.
    private var ends: [BytePairVocabulary.AddedToken?] = [nil]
    /// By byte: whether a content begins with it.
    private var begins = [Bool](repeating: false, count: 256)
    /// Bytes of the maximumLength content.
    private(set) var maximumLength = 0

    /// - Parameter tokens: with distinct contents that are not empty.
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

    /// The maximumLength content that the text has at `position`, as its token.
    func match(in text: UnsafeRawBufferPointer, at position: Int) -> BytePairVocabulary.AddedToken? {
        guard begins[Int(text[position])] else { return nil }
        var found: BytePairVocabulary.AddedToken?
        walk(text, from: position) { _, token in found = token ?? found }
        return found
    }

    /// Whether a content that begins at `start` ends at `place` or behind it, or may do so in what follows the text.
    func reaches(_ place: Int, in text: UnsafeRawBufferPointer, from start: Int) -> Bool {
        guard begins[Int(text[start])] else { return false }
        var reaches = false
        walk(text, from: start) { end, token in
            if token != nil && end >= place || end == text.count { reaches = true }
        }
        return reaches
    }

    /// Follows the text from `start` for as long as a content goes on with it.
    ///
    /// - Parameter visit: is told the end of what was followed, and the token whose content that is.
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
