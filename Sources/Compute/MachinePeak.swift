/// How fast this machine multiplies single-precision matrices: the limit that a training step is compared with.
public enum MachinePeak {
    /// Floating-point operations a second of all workers together on products of (512, 512) by (512, 512), by what is in
    /// use and by BLAS in turn: the best of `rounds`, since other load only ever slows a round down. About a sixth of a second.
    ///
    /// A round has several products for each worker and follows the last at once. With one product each, ten starts on two
    /// cores gave 133 to 176 GFLOP/s where this gave 218 to 309; presumably a worker that has slept first shares the
    /// caller's core, and takes some milliseconds to be moved.
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
