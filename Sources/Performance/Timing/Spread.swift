import Formats

/// Median and spread of what was measured several times.
package struct Spread: Equatable, Sendable {
    /// Values, at least 1.
    package let count: Int
    /// Quartiles are between the two nearest values, in proportion; all in the unit of the values.
    package let minimum, lowerQuartile, median, upperQuartile, maximum: Double

    /// - Parameter values: at least one.
    package init(_ values: [Double]) {
        precondition(!values.isEmpty)
        let sorted = values.sorted()
        /// Between the two nearest values, in proportion.
        func quantile(_ share: Double) -> Double {
            let place = share * Double(sorted.count - 1)
            let below = Int(place)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
        }
        count = values.count
        minimum = sorted[0]
        lowerQuartile = quantile(0.25)
        median = quantile(0.5)
        upperQuartile = quantile(0.75)
        maximum = sorted[sorted.count - 1]
    }

    /// Of durations in seconds, as milliseconds.
    var jsonMembers: [JSONValue.Member] {
        [
            ("median_ms", median), ("min_ms", minimum), ("p25_ms", lowerQuartile), ("p75_ms", upperQuartile),
            ("max_ms", maximum),
        ].map { .init($0, .number($1 * 1000)) }
    }
}
