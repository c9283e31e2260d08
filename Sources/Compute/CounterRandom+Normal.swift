import CVectorKernels

extension CounterRandom {
    /// Fills memory with normally distributed numbers, using vector kernels. They have the same bits as numbers that
    /// `normalPair` draws one at a time.
    ///
    /// - Parameters:
    ///   - values: the memory for `count` floats. It receives numbers `first ..< first + count`, where number `n` is
    ///     half of pair `n / 2`.
    ///   - count: the number of floats to write; at least 0.
    ///   - first: the index of the first number; even, so that no pair is split.
    ///   - deviation: the standard deviation, which multiplies each number.
    ///   - instructionSet: one of `Kernels.available`.
    public func fillNormal(
        _ values: UnsafeMutablePointer<Float>,
        count: Int,
        first: Int,
        deviation: Double,
        instructionSet: String = Kernels.standard.instructionSet
    ) {
        precondition(first % 2 == 0 && count >= 0)
        var key = [keyWords.0, keyWords.1]
        var high = [highWords.0, highWords.1, highWords.2]
        // The counter has 32 bits and wraps for a larger tensor, as it does when numbers are drawn one at a time.
        dt_normal_pairs(
            instructionSet,
            values,
            count / 2,
            UInt32(truncatingIfNeeded: first / 2),
            &key,
            &high,
            deviation
        )
        if count % 2 == 1 {
            let last = normalPair(UInt32(truncatingIfNeeded: (first + count) / 2))
            values[count - 1] = Float(last.0 * deviation)
        }
    }
}
