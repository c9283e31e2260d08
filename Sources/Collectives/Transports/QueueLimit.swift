import Platform

/// Keeps short what a connection has queued on a slow link, so that heartbeats, which share the link, do not wait behind it.
///
/// The system sends until a queue on the way is full, which on a slow link is seconds of data. Where the round trip shows that,
/// the connection's send buffer is made so small that the rest of the data waits in memory of ours.
struct QueueLimit {
    typealias Instant = ContinuousClock.Instant

    /// How long data may wait on the way.
    private let target: Duration
    private var nextLook: Instant?
    private var limit: Int?

    private static let interval = Duration.milliseconds(100)
    /// Less the system does not take; more it gives by itself.
    private static let sizes = 4096...1 << 20

    /// - Parameter timeout: how long a rank may be silent.
    init(timeout: Duration) { target = timeout / 8 }

    /// Looks at a connection now and then, and limits what it queues.
    ///
    /// - Returns: the round trip, when it was looked at.
    mutating func adjust(_ descriptor: Int32, now: Instant = .now) -> Duration? {
        if let nextLook, now < nextLook { return nil }
        nextLook = now + Self.interval
        guard let (roundTrip, inFlight) = SystemSocket.queue(descriptor) else { return nil }
        guard let new = Self.limit(now: limit, inFlight: inFlight, roundTrip: roundTrip, target: target)
        else { return roundTrip }
        limit = new
        SystemSocket.limitQueue(descriptor, to: new)
        // What a change does is seen when the data after it have been answered.
        nextLook = now + max(Self.interval, roundTrip * 2)
        return roundTrip
    }

    /// - Returns: the bytes that the connection may queue from now on; nil where that stays as it is.
    static func limit(now limit: Int?, inFlight: Int, roundTrip: Duration, target: Duration) -> Int? {
        if roundTrip > target {
            let share = Int(Double(inFlight) * (target / roundTrip))
            let new = min(max(share, sizes.lowerBound), limit ?? sizes.upperBound)
            return new == limit ? nil : new
        }
        guard let limit, limit < sizes.upperBound, roundTrip < target / 4 else { return nil }
        return min(2 * limit, sizes.upperBound)
    }
}
