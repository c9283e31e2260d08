/// A hash table from a pair of tokens to the rank and the result of its merge. It uses linear probing and is at most
/// half full. It is immutable after `init`, so threads can share it.
final class MergeTable: @unchecked Sendable {
    static let none = UInt32.max

    private struct Slot {
        var left: Int32
        var right: Int32
        var rank: UInt32
    }

    private let slots: UnsafeMutablePointer<Slot>
    private let shift: UInt64
    private let mask: Int
    private let results: UnsafeMutablePointer<Int32>
    /// The ranks of all pairs of bytes, indexed by `256 * left + right`. Merging a pre-token starts with pairs of
    /// bytes.
    private let byteRanks: UnsafeMutablePointer<UInt32>

    /// - Parameters:
    ///   - merges: Distinct pairs, in order of priority.
    ///   - byteTokens: The token of each single byte.
    init(_ merges: [BytePairVocabulary.Merge], byteTokens: [Int32]) {
        var bits: UInt64 = 4
        while 1 << bits < 2 * merges.count { bits += 1 }
        shift = 64 - bits
        mask = 1 << Int(bits) - 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: Slot(left: -1, right: -1, rank: Self.none), count: mask + 1)
        results = .allocate(capacity: max(1, merges.count))
        byteRanks = .allocate(capacity: 1 << 16)
        for (rank, merge) in merges.enumerated() {
            results[rank] = merge.result
            var index = place(merge.left, merge.right)
            while slots[index].left >= 0 { index = (index + 1) & mask }
            slots[index] = Slot(left: merge.left, right: merge.right, rank: UInt32(rank))
        }
        for pair in 0..<1 << 16 {
            (byteRanks + pair).initialize(to: rank(byteTokens[pair >> 8], byteTokens[pair & 0xFF]))
        }
    }

    deinit {
        slots.deallocate()
        results.deallocate()
        byteRanks.deallocate()
    }

    @inline(__always)
    private func place(_ left: Int32, _ right: Int32) -> Int {
        let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
        return Int((key &* 0x9E37_79B9_7F4A_7C15) >> shift)
    }

    /// Returns the index of a pair in the list of merges, or `none` if the pair is not merged.
    @inline(__always)
    func rank(_ left: Int32, _ right: Int32) -> UInt32 {
        var index = place(left, right)
        while true {
            let slot = slots[index]
            if slot.left == left, slot.right == right { return slot.rank }
            if slot.left < 0 { return Self.none }
            index = (index + 1) & mask
        }
    }

    /// Returns the rank of the pair of tokens of two bytes.
    @inline(__always)
    func rank(ofBytes left: UInt8, _ right: UInt8) -> UInt32 { byteRanks[Int(left) << 8 | Int(right)] }

    /// Returns the token that the merge with a rank produces.
    @inline(__always)
    func result(ofRank rank: UInt32) -> Int32 { results[Int(rank)] }
}
