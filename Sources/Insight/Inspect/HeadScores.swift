/// Which positions a head attends to. Each score from `previous` to `induction` is a share of a row's weight averaged
/// over rows, from 0 to 1.
///
/// The first three scores leave out rows 0 and 1, where the first, the previous and the current position are not all
/// different.
struct HeadScores: Equatable, Sendable {
    /// The weight of row t on position t - 1.
    let previous: Double?
    /// The weight on position 0.
    let first: Double?
    /// The weight of row t on position t.
    let current: Double?
    /// The weight of row t on earlier positions with the same token, averaged over rows whose token occurred before.
    let same: Double?
    /// The score of `InductionProbe`.
    let induction: Double?
    /// `Σ w |t - s|` over the positions s of row t, averaged over the rows that see more than one position; in tokens.
    let meanDistance: Double?

    /// - Parameter tokens: the sequence on which the pattern was computed.
    init(_ pattern: AttentionMap, tokens: [Int32], induction: Double? = nil) {
        precondition(pattern.length == tokens.count, "\(pattern.length) rows for \(tokens.count) tokens")
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

    /// The smallest score that gives a head its kind.
    static let minimumScore = 0.4
    /// The score must also be at least this many times the second best.
    static let minimumLead = 1.5
    /// The smallest normalized entropy of an even head.
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

    /// The kind of the head with its score, or with its normalized entropy for an even head; nil if no kind fits.
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
