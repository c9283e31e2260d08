/// Decides from heartbeats whether somebody hangs, and who. It has no clock and no sockets of its own.
///
/// ```swift
/// judge.heard(report, from: 2, now: now)
/// if let failure = judge.verdict(now: now) { … }
/// ```
/// - A rank from which nothing was heard for the timeout is lost.
/// - A rank that computes must move a count within the timeout; how long a step takes does not matter.
/// - A rank that waits is innocent, and one that prepares is judged by its heartbeats alone.
/// - When all ranks wait and no count moves anywhere for the timeout, it is a link, or the ranks are out of step.
struct StallJudge {
    typealias Instant = ContinuousClock.Instant

    private struct Watched {
        let member: Member
        var heard: Instant
        /// When its activity or a count was last seen to change.
        var moved: Instant
        var report = ProgressReport()
        var hasLeft = false
    }

    private var ranks: [Watched]
    private let timeout: Duration

    /// - Parameter members: all ranks, in order.
    init(members: [Member], timeout: Duration, now: Instant) {
        ranks = members.map { Watched(member: $0, heard: now, moved: now) }
        self.timeout = timeout
    }

    // MARK: What is known

    mutating func heard(_ report: ProgressReport, from rank: Int, now: Instant) {
        ranks[rank].heard = now
        guard report != ranks[rank].report else { return }
        ranks[rank].report = report
        ranks[rank].moved = now
    }

    /// It is judged no more, but its counts still tell what the others wait for.
    mutating func left(_ rank: Int) { ranks[rank].hasLeft = true }

    /// Nobody listened for that long, as when this process was stopped or its machine slept: not a time to blame others
    /// for.
    mutating func paused(for duration: Duration, now: Instant) {
        for index in ranks.indices {
            ranks[index].heard = min(now, ranks[index].heard + duration)
            ranks[index].moved = min(now, ranks[index].moved + duration)
        }
    }

    // MARK: Verdicts

    func verdict(now: Instant) -> Failure? {
        silence(of: 0..<ranks.count, now: now) ?? standstill(now: now) ?? stall(now: now)
    }

    /// The one of these ranks that was silent for the timeout, the longest silent if there are more.
    func silence(of judged: Range<Int>, now: Instant) -> Failure? {
        ranks[judged].filter { !$0.hasLeft && now - $0.heard >= timeout }.min { $0.heard < $1.heard }.map {
            Failure(
                culprit: "\($0.member)",
                reason: "no sign of life for \(timeout.inSeconds) (stopped, swapped out, or its network is cut)"
            )
        }
    }

    private func standstill(now: Instant) -> Failure? {
        ranks.filter {
            !$0.hasLeft && $0.report.activity == .computing && isHeard($0, now) && now - $0.moved >= timeout
        }.min { $0.moved < $1.moved }.map {
            Failure(culprit: "\($0.member)", reason: "no progress for \(timeout.inSeconds) while computing")
        }
    }

    private func stall(now: Instant) -> Failure? {
        let present = ranks.filter { !$0.hasLeft }
        // While somebody prepares, the others may be waiting for that.
        guard !present.isEmpty,
            present.allSatisfy({ $0.report.activity == .waiting && isHeard($0, now) && now - $0.moved >= timeout })
        else { return nil }
        return stuckLink ?? outOfStep
            ?? Failure(
                culprit: "the network between the ranks",
                reason: "all wait in operation \(present[0].report.operations), and nothing arrived for "
                    + timeout.inSeconds
            )
    }

    /// What a silent rank was doing when last heard says nothing of now; its silence will be judged.
    private func isHeard(_ rank: Watched, _ now: Instant) -> Bool { now - rank.heard < timeout / 2 }

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
