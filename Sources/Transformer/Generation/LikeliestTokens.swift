/// Finds the likeliest tokens in order without sorting the whole vocabulary. Ties go to the smaller id.
public enum LikeliestTokens {
    /// Returns the ids of the `k` largest logits, largest first, in O(V + k log k log V) time on average.
    ///
    /// A heap holds the best ids so far with the worst of them on top, so one comparison rejects almost every logit.
    public static func first(_ k: Int, of logits: Slice<UnsafeBufferPointer<Float>>) -> [Int] {
        precondition(k >= 1 && k <= logits.count, "\(k) of \(logits.count) tokens")
        var heap = (0..<k).map { key(logits[$0], id: $0) }
        if k < logits.count {
            heap.withUnsafeMutableBufferPointer { heap in
                for root in stride(from: k / 2 - 1, through: 0, by: -1) { sink(root, in: heap) }
                for id in k..<logits.count {
                    let key = key(logits[id], id: id)
                    guard key < heap[0] else { continue }
                    heap[0] = key
                    sink(0, in: heap)
                }
            }
        }
        heap.sort()
        return heap.map { Int($0 & 0xFFFF_FFFF) }
    }

    /// Returns a number that is smaller for a larger logit and, for equal logits, for a smaller id.
    private static func key(_ logit: Float, id: Int) -> UInt64 {
        // Adding zero turns -0 into 0, because the two are equal.
        let bits = (logit + 0).bitPattern
        let ascending = bits >> 31 == 0 ? bits | 0x8000_0000 : ~bits
        return UInt64(~ascending) << 32 | UInt64(id)
    }

    /// Restores the heap order below `start`: no element is smaller than its children.
    private static func sink(_ start: Int, in heap: UnsafeMutableBufferPointer<UInt64>) {
        let moving = heap[start]
        var at = start
        while 2 * at + 1 < heap.count {
            var child = 2 * at + 1
            if child + 1 < heap.count, heap[child + 1] > heap[child] { child += 1 }
            guard heap[child] > moving else { break }
            heap[at] = heap[child]
            at = child
        }
        heap[at] = moving
    }
}
