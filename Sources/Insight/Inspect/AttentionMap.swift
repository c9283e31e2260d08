/// The attention weights of one head over one sequence of T tokens. Row t holds the weights that position t gives to
/// each position; they add up to 1.
struct AttentionMap: Equatable, Sendable {
    /// (T, T), row-major; 0 at positions that the row does not see.
    let weights: [Float]
    /// The range from the first to the last visible position of each row.
    let visible: [Range<Int>]
    /// The number of visible positions of each row. It is smaller than the range if there is a gap between attention
    /// sinks and the window.
    let visibleCounts: [Int]

    init(weights: [Float], visible: [Range<Int>], visibleCounts: [Int]? = nil) {
        precondition(
            weights.count == visible.count * visible.count,
            "\(weights.count) weights for \(visible.count) positions"
        )
        self.weights = weights
        self.visible = visible
        self.visibleCounts = visibleCounts ?? visible.map(\.count)
    }

    /// Creates a causal map: row t sees positions 0 … t.
    init(causal weights: [Float], length: Int) {
        self.init(weights: weights, visible: (0..<length).map { 0..<$0 + 1 })
    }

    var length: Int { visible.count }

    subscript(row: Int, position: Int) -> Double { Double(weights[row * length + position]) }

    /// The rows that see more than one position.
    var rowsWithChoice: [Int] { visibleCounts.indices.filter { visibleCounts[$0] > 1 } }
}

extension Sequence<Double> {
    /// The mean; nil for an empty sequence.
    var mean: Double? {
        var (sum, count) = (0.0, 0)
        for value in self {
            sum += value
            count += 1
        }
        return count == 0 ? nil : sum / Double(count)
    }
}
