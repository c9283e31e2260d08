/// A series of any length, reduced to a bounded number of points: the first, the last, and the lowest and highest of
/// each stretch.
///
/// Consecutive values share a bucket, which keeps its lowest and highest value. When all buckets are full, neighbors
/// are merged in pairs. The points depend only on the values and their order, so a run that is watched shows the same
/// points as a run that is read after its end. A series of almost `limit` values is kept unchanged. Appending takes
/// amortized constant time.
struct ThinnedSeries: Equatable {
    struct Point: Equatable {
        var x: Int
        var y: Double
    }

    private struct Bucket: Equatable {
        var low: Point
        var high: Point
        var sum: Double
        var count = 1
        let firstX: Int
        var lastX: Int

        init(_ point: Point) {
            (low, high, sum) = (point, point, point.y)
            (firstX, lastX) = (point.x, point.x)
        }

        var mean: Point { Point(x: firstX + (lastX - firstX) / 2, y: sum / Double(count)) }

        mutating func merge(_ other: Bucket) {
            if other.low.y < low.y { low = other.low }
            if other.high.y > high.y { high = other.high }
            sum += other.sum
            count += other.count
            lastX = other.lastX
        }
    }

    /// The number of buckets: even, so that they can be merged in pairs.
    private let capacity: Int
    private var buckets: [Bucket] = []
    /// The number of values in a full bucket.
    private var width = 1
    /// The number of values in the last bucket.
    private var filled = 0
    private(set) var first: Point?
    private(set) var last: Point?
    /// The number of values appended.
    private(set) var count = 0

    static let defaultLimit = 2000

    /// - Parameter limit: the maximum number of points, at least 6.
    init(limit: Int = defaultLimit) { capacity = max(2, (limit - 2) / 4 * 2) }

    /// Appends a value. Ignores nil and values that are not finite.
    mutating func append(_ x: Int, _ y: Double?) {
        guard let y, y.isFinite else { return }
        let point = Point(x: x, y: y)
        if first == nil { first = point }
        last = point
        count += 1
        if filled < width, !buckets.isEmpty {
            buckets[buckets.count - 1].merge(Bucket(point))
            filled += 1
            return
        }
        if buckets.count == capacity { mergePairs() }
        buckets.append(Bucket(point))
        filled = 1
    }

    private mutating func mergePairs() {
        buckets = stride(from: 0, to: buckets.count, by: 2).map { index in
            var bucket = buckets[index]
            bucket.merge(buckets[index + 1])
            return bucket
        }
        width *= 2
    }

    /// Whether some values are not among the points.
    var isThinned: Bool { width > 2 }

    /// For each stretch, its lowest value, the mean of all its values (placed at its middle) and its highest value.
    var stretches: [(low: Point, mean: Point, high: Point)] { buckets.map { ($0.low, $0.mean, $0.high) } }

    /// The kept points, in the order of the series.
    var points: [Point] {
        guard let first, let last else { return [] }
        var points = [first]
        func add(_ point: Point) { if point.x != points[points.count - 1].x { points.append(point) } }
        for bucket in buckets {
            let isRising = bucket.low.x <= bucket.high.x
            add(isRising ? bucket.low : bucket.high)
            add(isRising ? bucket.high : bucket.low)
        }
        add(last)
        return points
    }
}
