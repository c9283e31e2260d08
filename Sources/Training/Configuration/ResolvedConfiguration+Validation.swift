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
                ["n_embd", "n_head"],
                "n_head must divide n_embd, as n_head=\(heads) or n_embd=\(width) would"
            )
        }
        if let conflict = values.model(vocabularySize: 1).variantConflict {
            throw refusal(conflict.names, conflict.reason)
        }
        guard !values.decayLR || values.minLR <= values.learningRate else {
            throw refusal(
                ["min_lr", "learning_rate"],
                "min_lr must not be above learning_rate, a tenth of it is usual"
            )
        }
        let width = Double(values.embeddingSize)
        let parameters = 12 * Double(values.layerCount) * width * width + Double(values.blockSize) * width
        guard parameters <= Self.mostParameters else {
            throw refusal(
                ["n_layer", "n_embd", "block_size"],
                "a model of about \(Int(parameters / 1e9)) billion parameters; at most \(Int(Self.mostParameters / 1e9))"
            )
        }
        var tokens = values.blockSize
        for (name, factor) in [
            ("batch_size", values.batchSize), ("gradient_accumulation_steps", values.gradientAccumulationSteps),
        ] {
            let (product, overflow) = tokens.multipliedReportingOverflow(by: factor)
            // Counters of random numbers and offsets of batches have 32 bits for the sequences of a step.
            guard !overflow, product <= Int(Int32.max) else {
                throw refusal([name, "block_size"], "an iteration may hold at most \(Int32.max) tokens")
            }
            tokens = product
        }
    }

    /// Far above what fits a machine, and far below what overflows a count of bytes.
    private static let mostParameters = 1e12

    private func refusal(_ names: [String], _ reason: String) -> UserError {
        UserError(.usage, "\(names.map { describe($0) }.joined(separator: ", ")): \(reason)")
    }
}
