/// The mean of a quantity over seeds and its 95 % confidence interval (Student, 1908).
struct SeedStatistics: Equatable, Sendable {
    let values: [Double]

    var mean: Double { values.reduce(0, +) / Double(values.count) }

    /// The confidence interval of the mean; nil for a single seed, whose spread is unknown.
    var interval: ClosedRange<Double>? {
        guard values.count > 1 else { return nil }
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let error = (squares / Double(values.count - 1) / Double(values.count)).squareRoot()
        let half = Self.quantile(degreesOfFreedom: values.count - 1) * error
        return mean - half...mean + half
    }

    /// Whether the confidence interval excludes zero.
    var isClear: Bool { interval.map { !$0.contains(0) } ?? false }

    /// The 97.5 % quantile of Student's t distribution. Above 30 degrees of freedom, the slightly larger value for 30
    /// is used.
    static func quantile(degreesOfFreedom: Int) -> Double {
        let table = [
            12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
            2.120,
            2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
        ]
        return table[min(degreesOfFreedom, table.count) - 1]
    }
}
