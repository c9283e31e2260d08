/// The attention weights of one head over one sequence of T tokens: row t says how much position t takes from each position it
/// sees; a row's weights add up to 1.
struct AttentionMap: Equatable, Sendable {
    /// (T, T), row by row; 0 where a row does not see.
    let weights: [Float]
    /// Of each row, the positions from the first it sees to the last.
    let visible: [Range<Int>]
    /// How many of them it sees: fewer than all where there is a gap between attention sinks and a window.
    let visibleCounts: [Int]

    init(weights: [Float], visible: [Range<Int>], visibleCounts: [Int]? = nil) {
        precondition(weights.count == visible.count * visible.count, "a square of \(visible.count) positions")
        self.weights = weights
        self.visible = visible
        self.visibleCounts = visibleCounts ?? visible.map(\.count)
    }

    /// A causal one: row t sees 0 … t.
    init(causal weights: [Float], length: Int) {
        self.init(weights: weights, visible: (0..<length).map { 0..<$0 + 1 })
    }

    var length: Int { visible.count }

    subscript(row: Int, position: Int) -> Double { Double(weights[row * length + position]) }

    /// Rows that have a choice: those that see more than one position.
    var rowsWithChoice: [Int] { visibleCounts.indices.filter { visibleCounts[$0] > 1 } }
}

extension Sequence<Double> {
    /// nil of nothing.
    var mean: Double? {
        var (sum, count) = (0.0, 0)
        for value in self {
            sum += value
            count += 1
        }
        return count == 0 ? nil : sum / Double(count)
    }
}
