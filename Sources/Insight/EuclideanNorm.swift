extension UnsafeBufferPointer<Float> {
    /// The Euclidean norm, summed in double precision from the first value to the last.
    var norm: Double { reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
}
