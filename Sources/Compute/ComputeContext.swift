/// What computes: the threads, the vector loops and the matrix products of one model.
///
/// ```swift
/// let context = ComputeContext(pool: WorkerPool(threadCount: 4))
/// let model = GPT(configuration: configuration, context: context)
/// ```
/// The defaults are those of this processor. Two models in one process may compute differently.
public struct ComputeContext: Sendable {
    /// The threads.
    public let pool: WorkerPool
    /// The matrix products, and the vector loops that they are made of.
    public let products: MatrixProducts

    /// The vector loops.
    public var kernels: Kernels { products.kernels }

    /// A context that computes with these threads; by default in the fastest way that this processor has.
    public init(pool: WorkerPool, products: MatrixProducts = .standard) {
        self.pool = pool
        self.products = products
    }
}
