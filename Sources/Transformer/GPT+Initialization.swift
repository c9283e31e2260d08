import Compute

extension GPT {
    /// nanoGPT's initialization: weights from N(0, 0.02), the two projections into the residual stream of each block from
    /// N(0, 0.02 / sqrt(2 layers)), LayerNorm weights 1, biases 0. A function of the seed alone.
    public func initializeParameters(seed: UInt64) {
        let residualDeviation = 0.02 / Double(2 * configuration.layerCount).squareRoot()
        for (index, tensor) in layout.tensors.enumerated() {
            let values = parameters.base + tensor.range.lowerBound
            if tensor.decays {
                let deviation = tensor.name.hasSuffix("c_proj.weight") ? residualDeviation : 0.02
                fillNormal(values, tensor.range.count, deviation: deviation, seed: seed, tensor: index)
            } else {
                values.update(repeating: tensor.name.hasSuffix(".bias") ? 0 : 1, count: tensor.range.count)
            }
        }
    }

    private func fillNormal(
        _ values: UnsafeMutablePointer<Float>,
        _ count: Int,
        deviation: Double,
        seed: UInt64,
        tensor: Int
    ) {
        let random = CounterRandom(seed: seed, stream: .initialization, item: UInt32(tensor))
        let piece = 65536
        pool.run((count + piece - 1) / piece) { task, _ in
            let range = task * piece..<min(count, (task + 1) * piece)
            random.fillNormal(
                values + range.lowerBound,
                count: range.count,
                first: range.lowerBound,
                deviation: deviation
            )
        }
    }
}
