/// A series of any length in a bounded number of points, which keep the first, the last, and the extremes of each stretch.
///
/// Values fall into buckets of equally many, whose lowest and highest stay; where buckets run out, each takes in its
/// neighbour. What stays depends on the values and their order alone, not on when one looks: a run that is watched and one
/// that is read when it has ended show the same points. Nearly `limit` values are kept as they are. Appending takes
/// constant time on average.
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

    /// An even number, so that they merge in pairs.
    private let capacity: Int
    private var buckets: [Bucket] = []
    /// Values in a bucket, and in the last one.
    private var width = 1
    private var filled = 0
    private(set) var first: Point?
    private(set) var last: Point?
    /// Values appended.
    private(set) var count = 0

    static let defaultLimit = 2000

    /// - Parameter limit: points at most, 6 or more.
    init(limit: Int = defaultLimit) { capacity = max(2, (limit - 2) / 4 * 2) }

    /// Takes the next value; one that is not finite is left out.
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

    /// Whether values were left out.
    var isThinned: Bool { width > 2 }

    /// Of each stretch its lowest and highest value and, in its middle, the mean of all its values.
    var stretches: [(low: Point, mean: Point, high: Point)] { buckets.map { ($0.low, $0.mean, $0.high) } }

    /// In the order of the series.
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
