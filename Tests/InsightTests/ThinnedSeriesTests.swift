import Compute
import Testing

@testable import Insight

@Suite("Thinned series")
struct ThinnedSeriesTests {
    private func series(_ values: [Double], limit: Int) -> ThinnedSeries {
        var series = ThinnedSeries(limit: limit)
        for (index, value) in values.enumerated() { series.append(index * 10, value) }
        return series
    }

    /// Random values, all different.
    private func noise(_ count: Int) -> [Double] {
        let random = CounterRandom(seed: 5, stream: .test)
        return (0..<count).map { Double(random.integer(UInt32($0), below: 1 << 30)) + Double($0) / Double(count) }
    }

    @Test("A series within the limit is kept unchanged", arguments: [0, 1, 2, 3, 17, 96])
    func whole(count: Int) {
        let values = noise(count)
        #expect(series(values, limit: 100).points == values.indices.map { .init(x: $0 * 10, y: values[$0]) })
    }

    @Test(
        "A long series gives at most `limit` points, in order, all of them values of the series",
        arguments: [99, 1000, 12345]
    )
    func bounded(count: Int) {
        let values = noise(count)
        let points = series(values, limit: 100).points
        #expect(points.count <= 100 && points.count >= 48, "\(points.count)")
        #expect(zip(points, points.dropFirst()).allSatisfy { $0.x < $1.x })
        #expect(points.allSatisfy { $0.x % 10 == 0 && values[$0.x / 10] == $0.y })
    }

    @Test(
        "The first, the last and the extremes of the series and of every stretch are kept",
        arguments: [99, 1000, 12345]
    )
    func extremes(count: Int) throws {
        let values = noise(count)
        let thinned = series(values, limit: 100)
        let points = thinned.points
        #expect(points.first == .init(x: 0, y: values[0]))
        #expect(points.last == .init(x: (count - 1) * 10, y: values[count - 1]))
        #expect(points.map(\.y).max() == values.max() && points.map(\.y).min() == values.min())
        #expect(thinned.count == count)
        // Any stretch as long as two buckets contains a whole bucket with its extremes.
        let longest = 2 * count / 12
        for start in stride(from: 0, to: count - longest, by: longest) {
            let within = points.filter { start * 10..<(start + longest) * 10 ~= $0.x }
            #expect(within.count >= 2, "from \(start)")
        }
    }

    @Test(
        "Stretches contain every value once: the mean of their means is that of the series and lies between their extremes"
    )
    func stretches() {
        let values = noise(96 * 8)
        let thinned = series(values, limit: 100)
        #expect(thinned.isThinned && !series(Array(values[..<96]), limit: 100).isThinned)
        let stretches = thinned.stretches
        let mean = stretches.reduce(0) { $0 + $1.mean.y } / Double(stretches.count)
        let exact = values.reduce(0, +) / Double(values.count)
        // The sums have a different order.
        #expect(abs(mean / exact - 1) < 1e-12)
        #expect(stretches.allSatisfy { $0.low.y < $0.mean.y && $0.mean.y < $0.high.y })
        #expect(zip(stretches, stretches.dropFirst()).allSatisfy { $0.mean.x < $1.low.x && $0.high.x < $1.mean.x })
    }

    @Test("Missing and non-finite values are left out")
    func notFinite() {
        var series = ThinnedSeries(limit: 100)
        for (x, y) in [(0, .nan), (1, 2), (2, .infinity), (3, nil), (4, 5)] as [(Int, Double?)] { series.append(x, y) }
        #expect(series.points == [.init(x: 1, y: 2), .init(x: 4, y: 5)])
    }
}
