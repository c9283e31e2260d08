import Compute

/// A buffer with these elements.
func buffer(_ values: [Float]) -> FloatBuffer {
    let buffer = FloatBuffer(count: values.count)
    _ = buffer.elements.update(fromContentsOf: values)
    return buffer
}

/// Uniform numbers in [-1, 1).
func randomBuffer(_ count: Int, seed: UInt64) -> FloatBuffer {
    buffer(randomValues(count, seed: seed))
}

func randomValues(_ count: Int, seed: UInt64) -> [Float] {
    let random = CounterRandom(seed: seed, stream: .test)
    return (0..<count).map { Float(2 * random.uniform(UInt32($0)) - 1) }
}

/// A copy of the elements. (A pointer taken from a temporary buffer outlives it.)
func values(_ buffer: borrowing FloatBuffer) -> [Float] {
    Array(buffer.elements)
}
