import Platform

/// How widely a head looks: the entropy of its rows, `-Σ w ln w`, averaged over the rows that see more than one position.
///
/// It is 0 where a row takes all from one position, and ln n where it takes the same from all n positions that it sees.
struct AttentionEntropy: Equatable, Sendable {
    /// In nats.
    let nats: Double
    /// Each row's entropy by the ln n of the row: from 0, one position, to 1, all alike.
    let normalized: Double

    /// nil for a sequence that leaves no row a choice.
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
