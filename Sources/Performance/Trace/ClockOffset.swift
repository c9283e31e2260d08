/// How far a rank's clock is ahead of another rank's, derived from barriers that both ranks passed.
///
/// No rank exits a barrier before all ranks have entered it. So the offset is at most this rank's exit time minus the
/// other rank's entry time, and at least this rank's entry time minus the other rank's exit time. The fastest barriers
/// give the tightest bounds. Barriers before and after the steps correct for clocks that run at different speeds.
struct ClockOffset: Equatable {
    /// When one rank entered and exited a barrier, in nanoseconds of its own clock.
    struct Round: Equatable {
        var entered, exited: Int
    }

    /// The offset in nanoseconds at a time of the rank's own clock.
    private struct Point: Equatable {
        var time, ahead: Double
    }

    private let first, last: Point
    /// The offset is correct to plus or minus this many nanoseconds.
    let uncertainty: Double

    /// - Parameters:
    ///   - own: the rank's barriers before and after the steps; those after may be missing.
    ///   - other: the same barriers on the reference rank.
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

    /// Converts a time of the rank's clock to the other rank's clock, in nanoseconds.
    func toOtherClock(_ time: Int) -> Int {
        guard last.time > first.time else { return time - Int(first.ahead.rounded()) }
        let share = (Double(time) - first.time) / (last.time - first.time)
        return time - Int((first.ahead + share * (last.ahead - first.ahead)).rounded())
    }
}
