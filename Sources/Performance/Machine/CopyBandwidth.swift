import Compute

/// Measures how fast all worker threads together copy memory that does not fit in the caches.
package enum CopyBandwidth {
    /// Returns bytes per second, counting both read and written bytes as STREAM does (McCalpin, 1995). The result is
    /// the best of three rounds over two buffers of 128 MB. Takes about 0.1 s.
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
            // The first two rounds touch the pages for the first time.
            if round > 1 { best = max(best, Double(2 * 4 * count) / seconds) }
        }
        return best
    }
}
