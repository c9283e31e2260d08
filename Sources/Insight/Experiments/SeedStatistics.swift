/// The mean of a number over seeds, and the interval in which its expectation lies with 95 % confidence (Student, 1908).
struct SeedStatistics: Equatable, Sendable {
    let values: [Double]

    var mean: Double { values.reduce(0, +) / Double(values.count) }

    /// Nil for one seed, which says nothing about others.
    var interval: ClosedRange<Double>? {
        guard values.count > 1 else { return nil }
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let error = (squares / Double(values.count - 1) / Double(values.count)).squareRoot()
        let half = Self.quantile(degreesOfFreedom: values.count - 1) * error
        return mean - half...mean + half
    }

    /// Whether the expectation is another than zero, as far as these seeds can tell.
    var isClear: Bool { interval.map { !$0.contains(0) } ?? false }

    /// Student's t at 97.5 %, from the usual tables; beyond them the next smaller number of degrees, which is on the safe side.
    static func quantile(degreesOfFreedom: Int) -> Double {
        let table = [
            12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
            2.120,
            2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
        ]
        return table[min(degreesOfFreedom, table.count) - 1]
    }
}
