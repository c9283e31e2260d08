/// Cuts a flat buffer into stripes that ranks own in turn: stripe s of the flat index belongs to rank `s mod n`.
///
/// The order in which a ring adds up an element follows from its owner alone. Owners are fixed by the place in the whole
/// buffer, so sums have the same bits however the buffer is cut into buckets.
struct Stripes {
    /// Floats of a stripe, which is also a message: large enough that a message costs little beside its bytes, small enough
    /// to be added while it is in cache.
    static let length = 32768

    let worldSize: Int
    /// Elements of the flat buffer.
    let range: Range<Int>
    /// Groups of `worldSize` stripes that the range touches.
    private let groups: Range<Int>

    init(range: Range<Int>, worldSize: Int) {
        self.range = range
        self.worldSize = worldSize
        let group = worldSize * Self.length
        groups = range.isEmpty ? 0..<0 : range.lowerBound / group..<(range.upperBound - 1) / group + 1
    }

    var groupCount: Int { groups.count }

    /// The stripe of an owner in a group, counted from 0; empty where the range has none.
    func stripe(group: Int, owner: Int) -> Range<Int> {
        let start = ((groups.lowerBound + group) * worldSize + owner) * Self.length
        return (start..<start + Self.length).clamped(to: range)
    }

    /// The nearest whole number of groups that is not longer than `count` elements, but at least one: buckets of this length
    /// give all ranks the same share.
    static func bucketLength(atMost count: Int, worldSize: Int) -> Int {
        let group = worldSize * length
        return max(1, count / group) * group
    }
}
