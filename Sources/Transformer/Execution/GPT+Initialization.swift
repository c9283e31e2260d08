import Compute

extension GPT {
    /// Sets every parameter to its declared initial value. As in nanoGPT, weights are drawn from N(0, 0.02), the two
    /// projections into the residual stream of each block from N(0, 0.02 / sqrt(2 layers)), norm weights are 1 and
    /// biases 0. The values depend only on the seed.
    public func initializeParameters(seed: UInt64) {
        for (index, tensor) in layout.tensors.enumerated() {
            let values = parameters.base + tensor.range.lowerBound
            switch tensor.spec.initialization {
            case .normal(let deviation):
                fillNormal(values, tensor.range.count, deviation: deviation, seed: seed, tensor: index)
            case .constant(let value):
                values.update(repeating: value, count: tensor.range.count)
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
                deviation: deviation,
                instructionSet: context.kernels.instructionSet
            )
        }
    }
}
