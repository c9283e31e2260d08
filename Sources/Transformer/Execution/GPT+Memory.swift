import Compute

extension GPT {
    /// The memory of a model in bytes, by purpose.
    public struct MemoryEstimate: Equatable, Sendable {
        /// Parameters: four bytes for each float of the layout.
        public let parameters: Int
        /// Gradients: as many bytes as `parameters`; 0 without training.
        public let gradients: Int
        /// Activations of a chunk, scratch memory and packed weights.
        public let activations: Int
        /// Logits of a chunk or of a block of its rows, and the head's packed weights, or tiles and partial sums.
        public let logits: Int

        /// The sum of the four, in bytes.
        public var total: Int { parameters + gradients + activations + logits }
    }

    /// Estimates the memory of a model with this configuration without allocating it. The optimizer's state is not
    /// included.
    public static func memoryEstimate(
        configuration: GPTConfiguration,
        batchSize: Int,
        sequenceLength: Int,
        threads: Int,
        training: Bool = true,
        products: MatrixProducts = .standard
    ) -> MemoryEstimate {
        let layers = GPTLayers(configuration)
        let shape = layers.arenaShape(
            sequences: batchSize,
            length: sequenceLength,
            workers: threads,
            products,
            for: training ? .training : .evaluation
        )
        let floats = Arena.count(layers.declarations.slots, shape)
        let parameters = layers.declarations.count * 4
        return MemoryEstimate(
            parameters: parameters,
            gradients: training ? parameters : 0,
            activations: 4 * (floats.all - floats.head),
            logits: 4 * floats.head
        )
    }
}
