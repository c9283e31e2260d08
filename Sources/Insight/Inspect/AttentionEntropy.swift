import Platform

/// How widely a head spreads its attention: the entropy `-Σ w ln w` of a row's weights, averaged over the rows that see
/// more than one position.
///
/// A row's entropy is 0 if all weight is on one position, and ln n if the weight is the same on all n visible
/// positions.
struct AttentionEntropy: Equatable, Sendable {
    /// The mean entropy, in nats.
    let nats: Double
    /// The mean of each row's entropy divided by its maximum ln n: 0 (one position) to 1 (uniform).
    let normalized: Double

    /// Returns nil if no row sees more than one position.
    init?(_ pattern: AttentionMap) {
        let rows = pattern.rowsWithChoice.map { row in
            let entropy = pattern.visible[row].reduce(0) { sum, position in
                let weight = pattern[row, position]
                return weight > 0 ? sum - weight * log(weight) : sum
            }
            return (nats: entropy, share: entropy / log(Double(pattern.visibleCounts[row])))
        }
        guard let nats = rows.lazy.map(\.nats).mean, let normalized = rows.lazy.map(\.share).mean else { return nil }
        self.nats = nats
        self.normalized = normalized
    }
}
