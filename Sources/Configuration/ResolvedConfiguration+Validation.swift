import Platform

extension ResolvedConfiguration {
    /// Checks what concerns several values at once; the registry has checked each value by itself.
    ///
    /// - Throws: `UserError` of kind `usage` naming the values, their origins and what would be allowed.
    public func validate() throws {
        guard values.embeddingSize % values.headCount == 0 else {
            let heads = (1...min(values.headCount, values.embeddingSize)).last { values.embeddingSize % $0 == 0 }!
            let width = (values.embeddingSize / values.headCount + 1) * values.headCount
            throw refusal(
                [\.embeddingSize, \.headCount],
                "n_head must divide n_embd, as n_head=\(heads) or n_embd=\(width) would"
            )
        }
        if let conflict = values.model(vocabularySize: 1).conflict {
            throw refusal(conflict.names.compactMap { ConfigurationKey.named($0)?.field }, conflict.reason)
        }
        guard !values.decayLR || values.minLR <= values.learningRate else {
            throw refusal(
                [\.minLR, \.learningRate],
                "min_lr must not be above learning_rate, a tenth of it is usual"
            )
        }
        let width = Double(values.embeddingSize)
        let parameters = 12 * Double(values.layerCount) * width * width + Double(values.blockSize) * width
        guard parameters <= Self.mostParameters else {
            throw refusal(
                [\.layerCount, \.embeddingSize, \.blockSize],
                "a model of about \(Int(parameters / 1e9)) billion parameters; at most \(Int(Self.mostParameters / 1e9))"
            )
        }
        var tokens = values.blockSize
        for factor in [\TrainingConfiguration.batchSize, \.gradientAccumulationSteps] {
            let (product, overflow) = tokens.multipliedReportingOverflow(by: values[keyPath: factor])
            // Counters of random numbers and offsets of batches have 32 bits for the sequences of a step.
            guard !overflow, product <= Int(Int32.max) else {
                throw refusal([factor, \.blockSize], "an iteration may hold at most \(Int32.max) tokens")
            }
            tokens = product
        }
    }

    /// Far above what fits a machine, and far below what overflows a count of bytes.
    private static let mostParameters = 1e12

    private func refusal(_ fields: [PartialKeyPath<TrainingConfiguration>], _ reason: String) -> UserError {
        UserError(.usage, "\(fields.map { describe(.of($0)) }.joined(separator: ", ")): \(reason)")
    }
}
