import Compute

/// How fast this machine's workers together copy memory that no cache holds.
package enum CopyBandwidth {
    /// Bytes a second, read and written bytes both counted, as STREAM does (McCalpin, 1995): the best of some rounds over two
    /// buffers of 128 MB, about a tenth of a second.
    package static func measure(pool: WorkerPool) -> Double {
        let count = 1 << 25
        let piece = 1 << 16
        let buffers = FloatBuffer(count: 2 * count)
        let base = buffers.base
        var best = 0.0
        for round in 0..<5 {
            let (from, to) = round % 2 == 0 ? (base, base + count) : (base + count, base)
            let seconds = ContinuousClock.seconds {
                pool.run(count / piece) { task, _ in
                    (to + task * piece).update(from: from + task * piece, count: piece)
                }
            }
            // The first two touch their pages for the first time.
            if round > 1 { best = max(best, Double(2 * 4 * count) / seconds) }
        }
        return best
    }
}
