import Formats

/// Minimum, quartiles and maximum of repeated measurements.
package struct Spread: Equatable, Sendable {
    /// The number of values, at least 1.
    package let count: Int
    /// In the unit of the values. Quartiles are interpolated linearly between the two nearest values.
    package let minimum, lowerQuartile, median, upperQuartile, maximum: Double

    /// - Parameter values: at least one.
    package init(_ values: [Double]) {
        precondition(!values.isEmpty)
        let sorted = values.sorted()
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

    /// The JSON members of a spread of seconds, in milliseconds.
    var jsonMembers: [JSONValue.Member] {
        [
            ("median_ms", median), ("min_ms", minimum), ("p25_ms", lowerQuartile), ("p75_ms", upperQuartile),
            ("max_ms", maximum),
        ].map { .init($0, .number($1 * 1000)) }
    }
}
