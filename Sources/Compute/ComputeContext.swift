/// The threads, vector kernels and matrix products that one model computes with.
///
/// ```swift
/// let context = ComputeContext(pool: WorkerPool(threadCount: 4))
/// let model = GPT(configuration: configuration, context: context)
/// ```
/// The defaults suit this processor. Two models in one process may use different contexts.
public struct ComputeContext: Sendable {
    /// The worker threads.
    public let pool: WorkerPool
    /// The matrix products. They also hold the vector kernels.
    public let products: MatrixProducts

    /// The vector kernels of `products`.
    public var kernels: Kernels { products.kernels }

    /// Creates a context with these threads. The default products are the fastest that this processor supports.
    public init(pool: WorkerPool, products: MatrixProducts = .standard) {
        self.pool = pool
        self.products = products
    }
}
