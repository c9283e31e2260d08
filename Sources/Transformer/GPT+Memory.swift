import Compute

extension GPT {
    /// Bytes that a model takes, by what they are for.
    public struct MemoryEstimate: Equatable, Sendable {
        public let parameters: Int
        public let gradients: Int
        /// AdamW's two moments, which the trainer allocates.
        public let moments: Int
        /// Activations of a chunk, scratch and a block of logits.
        public let activations: Int

        public var total: Int { parameters + gradients + moments + activations }
    }

    /// The memory that training with this configuration takes, before anything is allocated.
    public static func memoryEstimate(
        configuration: GPTConfiguration,
        batchSize: Int,
        sequenceLength: Int,
        threads: Int,
        training: Bool = true
    ) -> MemoryEstimate {
        let parameters = ParameterLayout(configuration).count * 4
        let rows = chunkSequences(batch: batchSize, length: sequenceLength) * sequenceLength
        let activations =
            4
            * ChunkBuffers.count(
                configuration: configuration,
                rows: rows,
                length: sequenceLength,
                workers: threads,
                keepsForBackward: training
            )
        return MemoryEstimate(
            parameters: parameters,
            gradients: training ? parameters : 0,
            moments: training ? 2 * parameters : 0,
            activations: activations
        )
    }
}
