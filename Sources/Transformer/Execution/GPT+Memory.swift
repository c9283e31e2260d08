import Compute

extension GPT {
    /// Bytes that a model takes, by what they are for.
    public struct MemoryEstimate: Equatable, Sendable {
        /// Four for each float of the layout.
        public let parameters: Int
        /// As many as `parameters`; 0 without training.
        public let gradients: Int
        /// AdamW's two moments, which the trainer allocates.
        public let moments: Int
        /// Activations of a chunk, scratch, and packed weights.
        public let activations: Int
        /// Logits of a chunk or of a block of its rows, with what the head needs beside them: packed weights, or tiles and partial sums.
        public let logits: Int

        /// The sum of the five, in bytes.
        public var total: Int { parameters + gradients + moments + activations + logits }
    }

    /// The memory that training with this configuration takes, before anything is allocated.
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
            moments: training ? 2 * parameters : 0,
            activations: 4 * (floats.all - floats.head),
            logits: 4 * floats.head
        )
    }
}
