import Platform

/// How one start of all ranks ended.
struct JobEnd {
    /// A rank's end, and whether the launcher brought it about.
    struct Rank {
        let rank: Int
        let end: ChildProcess.End
        let wasEnded: Bool

        var description: String {
            switch end {
            case .exited(let code): "rank \(rank) left with code \(code)"
            case .killed(let signal): "rank \(rank) was killed by signal \(signal)"
            }
        }

        /// Neither done nor stopped after saving.
        var isFailure: Bool { end != .exited(0) && end != .exited(ExitStatus.stopped) }

        /// It left with the code of a lost peer.
        fileprivate var isVictim: Bool { end == .exited(UserError.Kind.network.rawValue) }
    }

    /// In the order of their ends.
    let ranks: [Rank]
    /// Whether a signal to the launcher asked for it.
    let wasSignalled: Bool

    /// The rank that is to blame. One that left with 69 lost a peer, so another failure comes first; one that the
    /// launcher ended failed because of others.
    var culprit: Rank? {
        let failures = ranks.filter(\.isFailure)
        let own = failures.filter { !$0.wasEnded }
        return own.first { !$0.isVictim } ?? own.first ?? failures.first
    }

    /// What the launcher leaves with.
    var exitCode: Int32 {
        if let culprit { return culprit.end.status }
        return ranks.contains { $0.end == .exited(ExitStatus.stopped) } ? ExitStatus.stopped : 0
    }

    /// Whether another start can end otherwise: not after wrong usage, bad data, or a wish that it end.
    var mayBeTriedAgain: Bool {
        guard let culprit, !wasSignalled else { return false }
        let hopeless = [UserError.Kind.usage, .data].map { ChildProcess.End.exited($0.rawValue) }
        return !hopeless.contains(culprit.end)
    }

    var summary: String {
        if let culprit { return culprit.description }
        return exitCode == ExitStatus.stopped ? "stopped by a signal, after saving" : "done"
    }
}
