/// Merges the tokens of one pre-token: always the pair of lowest rank, of equal ones the leftmost, until none is left.
///
/// Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units" (2016), on bytes.
struct PairMerger {
    /// Up to here the pair is looked for among all; beyond it, a heap keeps the time at n log n.
    private static let shortCount = 64

    private let table: MergeTable
    private var ranks: [UInt32] = []
    private var links: [Link] = []
    private var heap = MinimumHeap()

    private struct Link {
        var previous: Int32
        var next: Int32
    }

    init(_ table: MergeTable) {
        self.table = table
    }

    /// - Parameter tokens: those of the single bytes; what they are merged to takes their place.
    /// - Returns: how many are left.
    mutating func merge(_ tokens: UnsafeMutableBufferPointer<Int32>) -> Int {
        tokens.count <= Self.shortCount ? mergeShort(tokens) : mergeLong(tokens)
    }

    private mutating func mergeShort(_ tokens: UnsafeMutableBufferPointer<Int32>) -> Int {
        let table = table
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.shortCount) { ranks in
            var count = tokens.count
            guard count > 1 else { return count }
            for index in 0..<count - 1 { ranks[index] = table.rank(tokens[index], tokens[index + 1]) }
            while true {
                var best = MergeTable.none
                var place = 0
                for index in 0..<count - 1 where ranks[index] < best {
                    best = ranks[index]
                    place = index
                }
                guard best != MergeTable.none else { return count }
                tokens[place] = table.result(ofRank: best)
                count -= 1
                for index in place + 1..<max(count, place + 1) {
                    tokens[index] = tokens[index + 1]
                    ranks[index - 1] = ranks[index]
                }
                if place > 0 { ranks[place - 1] = table.rank(tokens[place - 1], tokens[place]) }
                if place + 1 < count { ranks[place] = table.rank(tokens[place], tokens[place + 1]) }
            }
        }
    }

    /// Tokens stay where their first byte is; links jump over those that were merged away. The heap may hold pairs that
    /// are gone: they are known by having another rank now.
    private mutating func mergeLong(_ tokens: UnsafeMutableBufferPointer<Int32>) -> Int {
        let count = tokens.count
        precondition(count < Int32.max, "a pre-token of \(count) bytes")
        ranks.removeAll(keepingCapacity: true)
        links.removeAll(keepingCapacity: true)
        for index in 0..<count {
            let rank = index + 1 < count ? table.rank(tokens[index], tokens[index + 1]) : MergeTable.none
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
        // A single pre-token of a gigabyte must not keep its memory for good.
        if count > 1 << 16 { (ranks, links, heap) = ([], [], MinimumHeap()) }
        return left
    }

    private mutating func setRank(at place: Int, _ rank: UInt32) {
        ranks[place] = rank
        if rank != MergeTable.none { heap.insert(rank, place) }
    }
}

/// Pairs by rank, equal ones by place: a binary heap of `rank << 32 | place`.
private struct MinimumHeap {
    private var keys: [UInt64] = []

    /// Adds a pair without keeping the order: `order` must follow.
    mutating func add(_ rank: UInt32, _ place: Int) {
        keys.append(UInt64(rank) << 32 | UInt64(place))
    }

    /// Puts what was added in order, in linear time.
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
