/// What a head looks at, each score the mean share of a row's weight, from 0 to 1.
///
/// Rows t = 2 … count for the first three, so that the first, the previous and the row's own position are three different ones.
struct HeadScores: Equatable, Sendable {
    /// On position t - 1.
    let previous: Double?
    /// On position 0.
    let first: Double?
    /// On position t itself.
    let current: Double?
    /// On earlier positions with the same token as t; over the rows that have one.
    let same: Double?
    /// On a repeated sequence: see `InductionProbe`.
    let induction: Double?
    /// `Σ w |t - s|`, over the rows that see more than one position.
    let meanDistance: Double?

    /// - Parameter tokens: of the sequence that the pattern is of.
    init(_ pattern: AttentionMap, tokens: [Int32], induction: Double? = nil) {
        precondition(pattern.length == tokens.count, "a row for each token")
        func mean(_ position: (Int) -> Int) -> Double? {
            pattern.visible.indices.dropFirst(2).map { pattern[$0, position($0)] }.mean
        }
        previous = mean { $0 - 1 }
        first = mean { _ in 0 }
        current = mean { $0 }
        var positions: [Int32: [Int]] = [:]
        var shares: [Double] = []
        for (row, token) in tokens.enumerated() {
            let earlier = positions[token, default: []].filter(pattern.visible[row].contains)
            if !earlier.isEmpty { shares.append(earlier.reduce(0) { $0 + pattern[row, $1] }) }
            positions[token, default: []].append(row)
        }
        same = shares.mean
        self.induction = induction
        meanDistance =
            pattern.rowsWithChoice.lazy.map { row in
                pattern.visible[row].reduce(0) { $0 + pattern[row, $1] * Double(abs(row - $1)) }
            }.mean
    }
}

// MARK: - The kind of a head

extension HeadScores {
    enum Kind: String, CaseIterable, Sendable {
        case previous = "previous token"
        case first = "first token"
        case current = "current token"
        case same = "same token"
        case induction
        case even
    }

    /// A score names the head from here on …
    static let minimumScore = 0.4
    /// … if it is so many times the next best.
    static let minimumLead = 1.5
    /// A head that no score names is an even one from this normalized entropy on.
    static let minimumEvenness = 0.9

    func score(of kind: Kind) -> Double? {
        switch kind {
        case .previous: previous
        case .first: first
        case .current: current
        case .same: same
        case .induction: induction
        case .even: nil
        }
    }

    /// The kind whose score dominates, with that score (of an even head, its normalized entropy); nil for a head of none.
    func kind(entropy: AttentionEntropy?) -> (kind: Kind, score: Double)? {
        let scores = Kind.allCases.compactMap { kind in score(of: kind).map { (kind: kind, score: $0) } }
            .sorted { $0.score > $1.score }
        if let best = scores.first, best.score >= Self.minimumScore,
            scores.count < 2 || best.score >= Self.minimumLead * scores[1].score
        {
            return best
        }
        guard let share = entropy?.normalized, share >= Self.minimumEvenness else { return nil }
        return (.even, share)
    }
}
