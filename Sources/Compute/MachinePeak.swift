/// Measures the machine's peak speed of single-precision matrix products, which training steps are compared with.
public enum MachinePeak {
    /// Measures floating-point operations per second of all workers together, on products of (512, 512) by (512, 512).
    ///
    /// Rounds alternate between the standard products and BLAS. The result is the best of `rounds`, because other load
    /// can only slow a round down. The default takes about a sixth of a second.
    ///
    /// Each round has several products per worker and starts right after the previous round. With one product per
    /// worker, ten starts on two cores gave 133 to 176 GFLOP/s instead of 218 to 309. A likely reason is that a worker
    /// that has slept first shares the caller's core for some milliseconds.
    public static func measure(pool: WorkerPool, rounds: Int = 16) -> Double {
        let size = 512
        let products = 6 * pool.threadCount
        let operations = 2 * Double(size * size * size) * Double(products)
        let memory = FloatBuffer(count: (2 + pool.threadCount) * size * size)
        for index in 0..<memory.count { memory.base[index] = Float(index & 15) / 16 }
        let elements = memory.base
        func matrix(_ index: Int) -> MatrixView {
            MatrixView(elements + index * size * size, rows: size, columns: size)
        }
        let blas = MatrixProducts(kernels: .standard, implementation: .blas)
        var best = 0.0
        for round in 0..<rounds {
            let elapsed = ContinuousClock().measure {
                pool.run(products) { _, worker in
                    let result = matrix(2 + worker)
                    let products = round % 2 == 0 ? MatrixProducts.standard : blas
                    products.multiply(matrix(0), .plain, matrix(1), .plain, into: result)
                }
            }
            best = max(best, operations / (elapsed / .seconds(1)))
        }
        return best
    }
}
