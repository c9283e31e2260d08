/// Decides from heartbeats whether somebody hangs, and who. It has no clock and no sockets of its own.
///
/// ```swift
/// judge.heard(report, from: 2, now: now)
/// if let failure = judge.verdict(now: now) { … }
/// ```
/// - A rank from which nothing was heard for the timeout is lost. What comes from it to its neighbor on the ring is a sign of
///   life too: heartbeats may wait behind data on a slow link.
/// - A rank that prepares or computes must move a count within the timeout; how long a step takes does not matter.
/// - A rank that saves has longer, since ending it would lose what it writes.
/// - A rank that waits is innocent.
/// - When all ranks wait and no count moves anywhere for the timeout, it is a link, or the ranks are out of step.
struct StallJudge {
    typealias Instant = ContinuousClock.Instant

    private struct Watched {
        let member: Member
        /// The last sign of life.
        var heard: Instant
        /// When it last said itself what it does.
        var reported: Instant
        /// When its activity or a count was last seen to change.
        var moved: Instant
        /// When bytes were last seen to have come to it on the ring.
        var arrived: Instant
        var report = ProgressReport()
        var hasLeft = false
    }

    private var ranks: [Watched]
    private let own: Int
    private let timeout: Duration

    /// - Parameters:
    ///   - members: all ranks, in order.
    ///   - own: the rank that judges.
    init(members: [Member], own: Int, timeout: Duration, now: Instant) {
        ranks = members.map { Watched(member: $0, heard: now, reported: now, moved: now, arrived: now - timeout * 2) }
        self.own = own
        self.timeout = timeout
    }

    /// How much longer a rank may be silent while data comes and its heartbeats may wait behind them: what a slow link has
    /// queued, and sends again where it drops some.
    static let queueing = Duration.seconds(15)

    /// How long a rank may stand in one call that writes a file.
    static func savingLimit(timeout: Duration) -> Duration { max(timeout * 10, .seconds(600)) }

    // MARK: What is known

    mutating func heard(_ report: ProgressReport, from rank: Int, now: Instant) {
        ranks[rank].heard = now
        ranks[rank].reported = now
        // That a round trip was measured is no progress of the rank.
        var before = ranks[rank].report
        before.roundTrip = report.roundTrip
        guard report != before else { return ranks[rank].report = report }
        if report.arrived != ranks[rank].report.arrived {
            ranks[rank].arrived = now
            // It came from there.
            ranks[(rank + ranks.count - 1) % ranks.count].heard = now
        }
        ranks[rank].report = report
        ranks[rank].moved = now
    }

    /// It is judged no more, but its counts still tell what the others wait for. They may have waited long for what it did last,
    /// and have said nothing since: their time begins anew.
    mutating func left(_ rank: Int, now: Instant) {
        ranks[rank].hasLeft = true
        for index in ranks.indices { ranks[index].moved = now }
    }

    /// Nobody listened for that long, as when this process was stopped or its machine slept: not a time to blame others
    /// for.
    mutating func paused(for duration: Duration, now: Instant) {
        for index in ranks.indices {
            ranks[index].heard = min(now, ranks[index].heard + duration)
            ranks[index].reported = min(now, ranks[index].reported + duration)
            ranks[index].moved = min(now, ranks[index].moved + duration)
        }
    }

    // MARK: Verdicts

    func verdict(now: Instant) -> Failure? {
        silence(of: 0..<ranks.count, now: now) ?? standstill(now: now) ?? stall(now: now)
    }

    /// The one of these ranks that was silent for the timeout, the longest silent if there are more.
    ///
    /// - Parameter strictly: without more time for heartbeats that may wait behind data, as when something else is wrong too.
    func silence(of judged: Range<Int>, strictly: Bool = false, now: Instant) -> Failure? {
        judged.filter { rank in
            let patience = !strictly && mayWaitBehindData(rank, now) ? timeout + Self.queueing : timeout
            return !ranks[rank].hasLeft && now - ranks[rank].heard >= patience
        }.min { ranks[$0].heard < ranks[$1].heard }.map { lost($0) }
    }

    /// The rank whose last report is the oldest, if that is older than the timeout: data that still came from it may have hidden
    /// that its control connection is cut, until it left and a link broke.
    func unreported(now: Instant) -> Failure? {
        ranks.indices.filter { $0 != own && !ranks[$0].hasLeft && now - ranks[$0].reported >= timeout }
            .min { ranks[$0].reported < ranks[$1].reported }.map { lost($0) }
    }

    private func lost(_ rank: Int) -> Failure {
        Failure(
            culprit: "\(ranks[rank].member)",
            reason: "no sign of life for \(timeout.inSeconds) (stopped, swapped out, or its network is cut)"
        )
    }

    /// Whether data comes while nobody can say if it comes from this rank too: not this one, and not the next one on the ring,
    /// which is not heard either.
    private func mayWaitBehindData(_ rank: Int, _ now: Instant) -> Bool {
        let next = (rank + 1) % ranks.count
        // When data stop too, whoever knows why has as long to tell.
        return next != own && !isHeard(ranks[next], now) && now - ranks[own].arrived < timeout * 2
    }

    private func standstill(now: Instant) -> Failure? {
        ranks.filter { rank in
            guard !rank.hasLeft, isHeard(rank, now), let limit = limit(of: rank.report.activity) else { return false }
            return now - rank.moved >= limit
        }.min { $0.moved < $1.moved }.map { rank in
            let limit = limit(of: rank.report.activity) ?? timeout
            return Failure(
                culprit: "\(rank.member)",
                reason: "no progress for \(limit.inSeconds) while \(rank.report.stage.text)"
            )
        }
    }

    /// How long no count may move; nil for any time.
    private func limit(of activity: ProgressBoard.Activity) -> Duration? {
        switch activity {
        case .preparing, .computing: timeout
        case .saving: Self.savingLimit(timeout: timeout)
        case .waiting: nil
        }
    }

    private func stall(now: Instant) -> Failure? {
        let present = ranks.filter { !$0.hasLeft }
        // On a slow link a lost packet comes again after several round trips.
        let slowest = Duration.milliseconds(min(present.map(\.report.roundTrip).max() ?? 0, 60_000))
        let limit = timeout + min(slowest * 4, Self.queueing)
        // While somebody is at work, the others may be waiting for that.
        guard !present.isEmpty,
            present.allSatisfy({ $0.report.activity == .waiting && isHeard($0, now) && now - $0.moved >= limit })
        else { return nil }
        return stuckLink ?? outOfStep
            ?? Failure(
                culprit: "the network between the ranks",
                reason: "all wait in operation \(present[0].report.operations), and nothing arrived for "
                    + timeout.inSeconds
            )
    }

    /// What a silent rank was doing when last heard says nothing of now; its silence will be judged.
    private func isHeard(_ rank: Watched, _ now: Instant) -> Bool { now - rank.reported < timeout / 2 }

    /// The first link with a message posted at both of its ends.
    ///
    /// All links behind a cut one stand still too, but there nothing is posted to be sent.
    private var stuckLink: Failure? {
        for (from, to) in zip(ranks, ranks.dropFirst() + ranks.prefix(1))
        where from.report.offered > to.report.received && to.report.wanted > to.report.received {
            return Failure(
                culprit: "the link from \(from.member) to \(to.member)",
                reason: "nothing arrived for \(timeout.inSeconds)"
            )
        }
        return nil
    }

    /// Ranks that wait for a collective which others did not begin: who is where.
    private var outOfStep: Failure? {
        func place(_ rank: Watched) -> String {
            (rank.hasLeft ? "left after operation " : "waits in operation ") + "\(rank.report.operations)"
        }
        let places = Dictionary(grouping: ranks, by: place)
        guard places.count > 1 else { return nil }
        let shownRanks = 4
        // Those of whom there are fewest are the likely ones to be wrong.
        let lines = places.values.sorted { ($0.count, $0[0].member.rank) < ($1.count, $1[0].member.rank) }.map {
            group in
            let names = group.prefix(shownRanks).map { "\($0.member)" }
            let others = group.count > shownRanks ? ["\(group.count - shownRanks) more"] : []
            return "\(place(group[0])): \((names + others).joined(separator: ", "))"
        }
        return Failure(
            culprit: "the ranks are out of step",
            reason: "nothing moved for \(timeout.inSeconds); \(lines.joined(separator: "; "))"
        )
    }
}
