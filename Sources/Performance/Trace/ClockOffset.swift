/// How far a rank's clock is ahead of another's, found from barriers that both passed.
///
/// Nobody leaves a barrier before all have come. So a rank that leaves at its time `left` does so after the other came at `came`
/// of its own: their difference of clocks is at most `left - came`, and the same the other way round gives the least it can be.
/// The quickest barriers give the narrowest bounds. Bounds before and after the steps make up for clocks that run unlike.
struct ClockOffset: Equatable {
    /// A barrier as one rank saw it, in nanoseconds of its own clock.
    struct Round: Equatable {
        var entered, exited: Int
    }

    /// Nanoseconds ahead, at a moment of the rank's own clock.
    private struct Point: Equatable {
        var time, ahead: Double
    }

    private let first, last: Point
    /// Nanoseconds by which the difference may be wrong, either way.
    let uncertainty: Double

    /// - Parameters:
    ///   - own: barriers of the rank before and after the steps; the latter may be missing.
    ///   - other: the same barriers, of the rank whose clock counts.
    init?(own: (before: [Round], after: [Round]), other: (before: [Round], after: [Round])) {
        guard let before = Self.bounds(own.before, other.before) else { return nil }
        let after = Self.bounds(own.after, other.after)
        first = Point(time: Double(own.before.first!.entered), ahead: before.middle)
        last = after.map { Point(time: Double(own.after.first!.entered), ahead: $0.middle) } ?? first
        uncertainty = max(before.half, after?.half ?? 0)
    }

    private static func bounds(_ own: [Round], _ other: [Round]) -> (middle: Double, half: Double)? {
        guard !own.isEmpty, own.count == other.count else { return nil }
        let most = zip(own, other).map { $0.exited - $1.entered }.min()!
        let least = zip(own, other).map { $0.entered - $1.exited }.max()!
        return (Double(most + least) / 2, abs(Double(most - least)) / 2)
    }

    /// A moment of the rank's clock on the other's.
    func toOtherClock(_ time: Int) -> Int {
        guard last.time > first.time else { return time - Int(first.ahead.rounded()) }
        let share = (Double(time) - first.time) / (last.time - first.time)
        return time - Int((first.ahead + share * (last.ahead - first.ahead)).rounded())
    }
}
