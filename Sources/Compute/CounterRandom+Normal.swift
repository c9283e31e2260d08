import CVectorKernels

extension CounterRandom {
    /// Normally distributed numbers as `normalPair` draws them one by one, with the same bits, by vector loops.
    ///
    /// - Parameters:
    ///   - values: become numbers `first ..< first + count`, where number `n` is half of pair `n / 2`.
    ///   - first: even, so that no pair is cut.
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
        // The counter has 32 bits: a tensor beyond that wraps, as it does one by one.
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
