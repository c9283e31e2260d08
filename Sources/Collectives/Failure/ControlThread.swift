import Platform

/// What the control thread does: sends heartbeats, reads, and decides, until the job has failed or all have left.
final class ControlThread {
    typealias Instant = ContinuousClock.Instant

    struct Limits: Sendable {
        /// How long a rank may be silent or stand still, and how long one that leaves waits for the others.
        let timeout: Duration
        /// How long a verdict may take to come by way of rank 0.
        var patience = Duration.milliseconds(1500)
        /// How long to wait, after a failure, until the others have read of it.
        var lingering = Duration.milliseconds(500)

        /// How often this rank's wish to stop is looked at, which a signal may have made.
        var stopInterval = Duration.milliseconds(100)

        var heartbeatInterval: Duration { min(.seconds(1), timeout / 6) }
    }

    /// Something that is to become the failure if nothing else has by then.
    private struct Pending {
        let failure: Failure
        var exitCode = Watchdog.peerLost
        let deadline: Instant
    }

    /// How the job ends before its ranks leave in good order.
    private enum Verdict {
        case failed(Failure, exitCode: Int32)
        /// A request to stop came before training began.
        case stopped
    }

    private let rank: Int
    private let members: [Member]
    private let connections: [ControlConnection]
    private let board: ProgressBoard
    private let limits: Limits
    private let stop: StopRequest
    private let watchdog: Watchdog
    private let post: ControlPost
    /// Of the thread that trains.
    private var effort: ThreadEffort

    private var notice: StandstillNotice
    private var judge: StallJudge
    private var heartbeatDue: Instant
    private var lastRound: Instant
    private var verdict: Verdict?
    /// The ring's connection broke, and it is not known why.
    private var suspicion: Pending?
    /// Reported to rank 0, which has not answered yet.
    private var reported: Pending?
    private var leavesBy: Instant?
    private var isAbandoned = false
    private var hasToldStop = false

    init(
        _ rank: Int,
        _ members: [Member],
        _ connections: [ControlConnection],
        board: ProgressBoard,
        limits: Limits,
        stop: StopRequest,
        watchdog: Watchdog,
        effort: ThreadEffort,
        post: ControlPost
    ) {
        self.rank = rank
        self.members = members
        self.connections = connections
        self.board = board
        self.limits = limits
        self.stop = stop
        self.watchdog = watchdog
        self.effort = effort
        self.post = post
        let now = ContinuousClock.now
        notice = StandstillNotice(timeout: limits.timeout, isAlone: members.count == 1, now: now)
        judge = StallJudge(members: members, own: rank, timeout: limits.timeout, now: now)
        heartbeatDue = now
        lastRound = now
    }

    private var isHub: Bool { rank == 0 }

    func run() {
        while verdict == nil, !isAbandoned, !isDone(.now) {
            wait(until: nextEvent)
            let now = ContinuousClock.now
            allowForPause(now)
            for request in post.takeRequests() { serve(request, now) }
            // All that has come counts before anybody is judged.
            for connection in connections { receive(from: connection, now) }
            spreadStop()
            sendHeartbeats(now)
            decide(now)
        }
        if isAbandoned {
            // As a process does that dies.
        } else if let verdict {
            leave(verdict)
        } else if !haveOthersLeft {
            linger()
        }
        for connection in connections { connection.end() }
        post.ended()
    }

    private func leave(_ verdict: Verdict) {
        switch verdict {
        case .failed(let failure, let exitCode):
            post.failed(failure)
            watchdog.announce(failure)
            tell(.failure(failure))
            watchdog.leave(failure, exitCode)
        case .stopped:
            tell(.abandoned)
            watchdog.leaveStopped()
        }
    }

    // MARK: Rounds

    private var nextEvent: Instant {
        let looksForStop = hasToldStop ? nil : ContinuousClock.now + limits.stopInterval
        return [heartbeatDue, suspicion?.deadline, reported?.deadline, leavesBy, looksForStop].compactMap { $0 }.min()!
    }

    private func wait(until deadline: Instant) {
        let open = connections.filter(\.isOpen)
        var watched = open.map { pollfd(fd: $0.descriptor, events: $0.events, revents: 0) }
        watched.append(pollfd(fd: post.wakeUp, events: Int16(POLLIN), revents: 0))
        let left = ((deadline - .now) / .milliseconds(1)).rounded(.up)
        poll(&watched, nfds_t(watched.count), Int32(max(0, min(left, 60_000))))
        for connection in open { connection.flush() }
    }

    /// This thread itself may have been stopped, or its machine asleep; the others may have been too.
    private func allowForPause(_ now: Instant) {
        let gap = now - lastRound
        lastRound = now
        if gap > limits.heartbeatInterval + limits.timeout / 4 { judge.paused(for: gap, now: now) }
    }

    private func sendHeartbeats(_ now: Instant) {
        let isDue = now >= heartbeatDue
        if isDue { countEffort(now) }
        let report = board.report
        if leavesBy == nil { judge.heard(report, from: rank, now: now) }
        guard isDue else { return }
        heartbeatDue = now + limits.heartbeatInterval
        guard leavesBy == nil else { return }
        for connection in connections { connection.sendHeartbeat(report) }
        if let line = notice.line(report, now: now) {
            watchdog.note(members.count == 1 ? line : "\(members[rank]): \(line)")
        }
    }

    /// Most steps of a preparation do not count their parts, but a storage that hangs shows: nothing is computed or read then.
    private func countEffort(_ now: Instant) {
        let (computed, read) = effort.sinceLastLook(now: now)
        switch board.activity {
        case .preparing where computed || read: board.worked()
        // What it computes it counts, and a thread that waits for others at its work uses the processor too.
        case .computing where read: board.worked()
        case .preparing, .computing, .waiting, .saving: break
        }
    }

    /// Once; rank 0 passes on what one rank tells it to all.
    private func spreadStop() {
        guard !hasToldStop, stop.isRequested else { return }
        hasToldStop = true
        if !board.hasBegunTraining, leavesBy == nil { return abandonJob() }
        for connection in connections { connection.send(.stop) }
    }

    /// The thread that trains may be at something long, or stand in a call.
    private func abandonJob() {
        if verdict == nil { verdict = .stopped }
    }

    private var haveOthersLeft: Bool { connections.allSatisfy { ($0.hasLeft || !$0.isOpen) && !$0.isWriting } }

    private func isDone(_ now: Instant) -> Bool {
        guard let leavesBy else { return false }
        return haveOthersLeft || now >= leavesBy
    }

    // MARK: What happens

    private func serve(_ request: ControlPost.Request, _ now: Instant) {
        switch request {
        case .report(let failure, let exitCode): report(failure, exitCode: exitCode, now)
        case .suspect(let failure):
            guard suspicion == nil else { return }
            suspicion = Pending(failure: failure, deadline: now + limits.patience)
        case .leave:
            guard leavesBy == nil else { return }
            leavesBy = now + limits.timeout
            judge.left(rank, now: now)
            for connection in connections { connection.send(.leaving) }
        case .abandon: isAbandoned = true
        }
    }

    private func receive(from connection: ControlConnection, _ now: Instant) {
        let peer = connection.peer
        let (messages, ending) = connection.receive()
        for message in messages {
            switch message {
            case .heartbeat(_, let report): judge.heard(report, from: peer, now: now)
            case .leaving: judge.left(peer, now: now)
            case .stop: stop.request()
            case .abandoned: abandonJob()
            case .suspicion(let failure): conclude(judge.unreported(now: now) ?? failure)
            case .failure(let failure): conclude(named(failure, by: peer), exitCode: exitCode(of: failure))
            }
        }
        guard let ending, !connection.hasLeft else { return }
        if let reported, peer == 0 {
            // Nobody else will decide between the two, and this was first.
            conclude(reported.failure, exitCode: reported.exitCode)
        }
        conclude(failure(of: peer, ending))
    }

    /// Rank 0 does not say of itself that it is silent, but who says so.
    private func named(_ failure: Failure, by peer: Int) -> Failure {
        guard isHub, failure.culprit == "\(members[rank])" else { return failure }
        return Failure(culprit: failure.culprit, reason: "taken for lost by \(members[peer]): \(failure.reason)")
    }

    private func failure(of peer: Int, _ ending: ControlConnection.Ending) -> Failure {
        switch ending {
        case .closed:
            Failure(culprit: "\(members[peer])", reason: "its connection closed (the process ended or was killed)")
        case .broken(let reason): Failure(culprit: "\(members[peer])", reason: "its connection broke: \(reason)")
        case .damaged(let reason):
            Failure(culprit: "the link from \(members[peer]) to \(members[rank])", reason: reason)
        }
    }

    /// A report of this rank that won keeps its code.
    private func exitCode(of failure: Failure) -> Int32 {
        reported?.failure == failure ? reported!.exitCode : Watchdog.peerLost
    }

    /// Lets rank 0 decide which failure was first.
    ///
    /// - Parameter isSuspicion: whether a lost rank may be the reason for it.
    private func report(
        _ failure: Failure,
        exitCode: Int32 = Watchdog.peerLost,
        isSuspicion: Bool = false,
        _ now: Instant
    ) {
        guard !isHub, let hub = connections.first, hub.isOpen, !hub.hasLeft else {
            return conclude(failure, exitCode: exitCode)
        }
        guard reported == nil else { return }
        reported = Pending(failure: failure, exitCode: exitCode, deadline: now + limits.patience)
        hub.send(isSuspicion ? .suspicion(failure) : .failure(failure))
    }

    /// The first one stays, in the form in which others can be told of it.
    private func conclude(_ failure: Failure, exitCode: Int32 = Watchdog.peerLost) {
        if verdict == nil { verdict = .failed(failure.bounded, exitCode: exitCode) }
    }

    private func decide(_ now: Instant) {
        if let reported, now >= reported.deadline { conclude(reported.failure, exitCode: reported.exitCode) }
        if let doubt = suspicion, now >= doubt.deadline {
            suspicion = nil
            // A neighbor may have left because rank 0 is lost.
            if !isHub, let failure = judge.silence(of: 0..<1, strictly: true, now: now) { return conclude(failure) }
            let failure = isHub ? judge.unreported(now: now) ?? doubt.failure : doubt.failure
            report(failure, isSuspicion: true, now)
        }
        // Nobody waits for a rank that is alone.
        guard members.count > 1 else { return }
        if let failure = isHub ? judge.verdict(now: now) : judge.silence(of: 0..<1, now: now) { conclude(failure) }
    }

    // MARK: The end

    /// Rank 0 tells all. Another rank that decided by itself tells rank 0, in case that is only deaf.
    private func tell(_ end: ControlMessage) {
        for connection in connections { connection.send(end) }
        linger()
    }

    /// Waits until the others have read everything and closed. A connection closed with something unread in it is
    /// reset, which would destroy what is on its way to the other side; so nothing is closed before that.
    private func linger() {
        let deadline = ContinuousClock.now + limits.lingering
        while true {
            for connection in connections { connection.halfClose() }
            let isOver = connections.map { $0.drain() }.allSatisfy { $0 }
            if isOver || ContinuousClock.now >= deadline { return }
            wait(until: deadline)
            // Who asks now is answered by the end.
            _ = post.takeRequests()
        }
    }
}
