/// Merges the tokens of one pre-token. Each step merges the pair of lowest rank (the leftmost if several have it),
/// until no pair can be merged.
///
/// The algorithm is that of Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units"
/// (2016), applied to bytes.
struct PairMerger {
    /// Up to this number of bytes, each step scans all pairs. Longer pre-tokens use a heap, which takes O(n log n).
    private static let shortCount = 64

    private let table: MergeTable
    private let byteTokens: [Int32]
    private var ranks: [UInt32] = []
    private var links: [Link] = []
    private var heap = MinimumHeap()

    private struct Link {
        var previous: Int32
        var next: Int32
    }

    init(_ table: MergeTable, byteTokens: [Int32]) {
        self.table = table
        self.byteTokens = byteTokens
    }

    /// - Parameters:
    ///   - bytes: The bytes of one pre-token.
    ///   - tokens: Receives the ids. Must have room for `bytes.count` ids.
    /// - Returns: The number of ids.
    mutating func merge(_ bytes: UnsafeRawBufferPointer, into tokens: UnsafeMutablePointer<Int32>) -> Int {
        byteTokens.withUnsafeBufferPointer { byteTokens in
            for index in 0..<bytes.count { tokens[index] = byteTokens[Int(bytes[index])] }
        }
        return bytes.count <= Self.shortCount ? mergeShort(bytes, tokens) : mergeLong(bytes, tokens)
    }

    /// Keeps each token at the index of its first byte. Bit `i` of `left` is set while a token starts at byte `i`.
    private func mergeShort(_ bytes: UnsafeRawBufferPointer, _ tokens: UnsafeMutablePointer<Int32>) -> Int {
        let count = bytes.count
        let table = table
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.shortCount) { buffer in
            let ranks = buffer.baseAddress!
            for index in 0..<count - 1 { ranks[index] = table.rank(ofBytes: bytes[index], bytes[index + 1]) }
            ranks[count - 1] = MergeTable.none
            var left = UInt64.max >> UInt64(64 - count)
            while true {
                // A separate loop for the minimum lets the compiler vectorize it.
                var best = MergeTable.none
                for index in 0..<count { best = min(best, ranks[index]) }
                guard best != MergeTable.none else { break }
                var place = 0
                while ranks[place] != best { place += 1 }
                tokens[place] = table.result(ofRank: best)
                let merged = (left & (.max << UInt64(place + 1))).trailingZeroBitCount
                left &= ~(1 << UInt64(merged))
                ranks[merged] = MergeTable.none
                let next = (left & (.max << UInt64(merged))).trailingZeroBitCount
                ranks[place] = next < 64 ? table.rank(tokens[place], tokens[next]) : MergeTable.none
                let before = left & ~(.max << UInt64(place))
                if before != 0 {
                    let previous = 63 - before.leadingZeroBitCount
                    ranks[previous] = table.rank(tokens[previous], tokens[place])
                }
            }
            var end = 0
            while left != 0 {
                tokens[end] = tokens[left.trailingZeroBitCount]
                left &= left - 1
                end += 1
            }
            return end
        }
    }

    /// Keeps each token at the index of its first byte. Links skip the indexes that were merged away. The heap may hold
    /// pairs that no longer exist; their rank differs from the current rank at their index.
    private mutating func mergeLong(_ bytes: UnsafeRawBufferPointer, _ tokens: UnsafeMutablePointer<Int32>) -> Int {
        let count = bytes.count
        precondition(count < Int32.max, "a pre-token of \(count) bytes is too long")
        ranks.removeAll(keepingCapacity: true)
        links.removeAll(keepingCapacity: true)
        for index in 0..<count {
            let rank = index + 1 < count ? table.rank(ofBytes: bytes[index], bytes[index + 1]) : MergeTable.none
            ranks.append(rank)
            links.append(Link(previous: Int32(index - 1), next: Int32(index + 1)))
            if rank != MergeTable.none { heap.add(rank, index) }
        }
        heap.order()
        while let (rank, place) = heap.removeFirst() {
            guard ranks[place] == rank else { continue }
            let merged = Int(links[place].next)
            tokens[place] = table.result(ofRank: rank)
            ranks[merged] = MergeTable.none
            let next = Int(links[merged].next)
            links[place].next = Int32(next)
            if next < count { links[next].previous = Int32(place) }
            setRank(at: place, next < count ? table.rank(tokens[place], tokens[next]) : MergeTable.none)
            let previous = Int(links[place].previous)
            if previous >= 0 { setRank(at: previous, table.rank(tokens[previous], tokens[place])) }
        }
        var left = 0
        var index = 0
        while index < count {
            tokens[left] = tokens[index]
            left += 1
            index = Int(links[index].next)
        }
        // Frees the memory of a long pre-token, which can take gigabytes.
        if count > 1 << 16 { (ranks, links, heap) = ([], [], MinimumHeap()) }
        return left
    }

    private mutating func setRank(at place: Int, _ rank: UInt32) {
        ranks[place] = rank
        if rank != MergeTable.none { heap.insert(rank, place) }
    }
}

/// A binary heap of pairs, ordered by rank and then by place. A key is `rank << 32 | place`.
private struct MinimumHeap {
    private var keys: [UInt64] = []

    /// Appends a pair without restoring the order of the heap. Call `order` afterwards.
    mutating func add(_ rank: UInt32, _ place: Int) {
        keys.append(UInt64(rank) << 32 | UInt64(place))
    }

    /// Restores the order of the heap after `add`, in linear time.
    mutating func order() {
        for index in stride(from: keys.count / 2 - 1, through: 0, by: -1) { sink(from: index) }
    }

    mutating func insert(_ rank: UInt32, _ place: Int) {
        let key = UInt64(rank) << 32 | UInt64(place)
        keys.append(key)
        var index = keys.count - 1
        while index > 0, keys[(index - 1) / 2] > key {
            keys[index] = keys[(index - 1) / 2]
            index = (index - 1) / 2
        }
        keys[index] = key
    }

    mutating func removeFirst() -> (rank: UInt32, place: Int)? {
        guard let first = keys.first else { return nil }
        let last = keys.removeLast()
        if !keys.isEmpty {
            keys[0] = last
            sink(from: 0)
        }
        return (UInt32(truncatingIfNeeded: first >> 32), Int(first & 0xFFFF_FFFF))
    }

    private mutating func sink(from start: Int) {
        let key = keys[start]
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < keys.count else { break }
            if child + 1 < keys.count, keys[child + 1] < keys[child] { child += 1 }
            guard keys[child] < key else { break }
            keys[index] = keys[child]
            index = child
        }
        keys[index] = key
    }
}
