/// How fast this machine multiplies single-precision matrices: the limit that a training step is compared with.
public enum MachinePeak {
    /// Floating-point operations a second of all workers together, each on a product of its own, (768, 768) by (768, 768):
    /// the best of `repetitions` rounds, since other load only ever slows a round down.
    public static func measure(pool: WorkerPool, repetitions: Int = 5) -> Double {
        let size = 768
        let operations = 2 * Double(size * size * size) * Double(pool.threadCount)
        let memory = FloatBuffer(count: 3 * size * size * pool.threadCount)
        for index in 0..<memory.count { memory.base[index] = Float(index & 15) / 16 }
        let elements = memory.base
        var best = 0.0
        for _ in 0..<repetitions + 1 {
            let elapsed = ContinuousClock().measure {
                pool.run(pool.threadCount) { task, _ in
                    let matrices = (0..<3).map {
                        MatrixView(elements + (3 * task + $0) * size * size, rows: size, columns: size)
                    }
                    MatrixProduct.multiply(matrices[0], .plain, matrices[1], .plain, into: matrices[2])
                }
            }
            best = max(best, operations / (elapsed / .seconds(1)))
        }
        return best
    }
}
