import Platform

/// Sees to it that nobody hangs: one thread a rank, which tells the others that it lives and how far it is, and finds
/// out when somebody else does not.
///
/// Connections form a star round rank 0. Rank 0 judges all ranks and sends the first failure to all of them; the others
/// judge rank 0 alone and report what they notice to it. So every rank that can still be told names the same culprit:
/// `Watchdog` says it and ends the process, whatever its other threads are blocked in.
///
/// ```swift
/// let plane = ControlPlane(
///     rank: 1, members: members, peers: control, board: board, timeout: .seconds(60), watchdog: .ofProgram()
/// )
/// …
/// plane.leave()
/// ```
/// A plane that is let go without `leave` closes its connections, which is to the others as if the process had died.
///
/// It is made on the thread that trains. Of a job of one rank it says only when that stands still.
///
/// `report` and `suspect` may be called from any thread.
public final class ControlPlane: @unchecked Sendable {
    // The thread is joined by `leave` or the end of this object's life; everything else that threads share is in
    // `ControlPost`.
    private let members: [Member]
    private let rank: Int
    private let post: ControlPost
    private let thread: SystemThread

    /// - Parameters:
    ///   - peers: ranks and connected stream sockets, which it takes over: rank 0 has one to every other rank, the
    ///     others have one to rank 0.
    ///   - timeout: how long a rank may be silent or stand still.
    ///   - stop: a wish of any rank that the job end reaches that of every other rank. Before training has begun, it ends the
    ///     processes of all.
    ///   - watchdog: what to do when the job has failed.
    public convenience init(
        rank: Int,
        members: [Member],
        peers: [(rank: Int, descriptor: Int32)],
        board: ProgressBoard,
        timeout: Duration,
        stop: StopRequest = StopRequest(),
        watchdog: Watchdog
    ) {
        self.init(
            rank: rank,
            members: members,
            peers: peers,
            board: board,
            limits: ControlThread.Limits(timeout: timeout),
            stop: stop,
            watchdog: watchdog
        )
    }

    init(
        rank: Int,
        members: [Member],
        peers: [(rank: Int, descriptor: Int32)],
        board: ProgressBoard,
        limits: ControlThread.Limits,
        stop: StopRequest = StopRequest(),
        watchdog: Watchdog
    ) {
        precondition(
            peers.allSatisfy { rank == 0 ? $0.rank != 0 : $0.rank == 0 },
            "the control connections are no star"
        )
        self.rank = rank
        self.members = members
        let post = ControlPost()
        self.post = post
        let effort = ThreadEffort(now: .now)
        thread = SystemThread {
            let connections = peers.map { ControlConnection(peer: $0.rank, descriptor: $0.descriptor) }
            ControlThread(
                rank,
                members,
                connections,
                board: board,
                limits: limits,
                stop: stop,
                watchdog: watchdog,
                effort: effort,
                post: post
            ).run()
        }
    }

    deinit {
        post.put(.abandon)
        thread.join()
    }

    /// What failed first in the job, once it is known here.
    public var failure: Failure? { post.failure }

    /// This rank noticed a failure by itself, such as a wrong checksum or a problem of its own.
    ///
    /// Returns when the job's first failure, this or an earlier one, has been told to all; the watchdog usually ends
    /// the process before.
    ///
    /// - Parameter exitCode: with which this process leaves, if no other failure came first.
    @discardableResult
    public func report(_ failure: Failure, exitCode: Int32 = Watchdog.peerLost) -> Failure {
        let failure = failure.bounded
        post.put(.report(failure, exitCode: exitCode))
        return post.waitForEnd() ?? failure
    }

    /// The ring's connection with a neighbour broke. Whoever is next to a lost rank sees this first, and is next to
    /// somebody innocent if that one has left because of it: so the control connections have a moment to tell who it
    /// was. If they do not, it is the link. Returns as `report` does.
    @discardableResult
    public func suspect(peer: Int, reason: String) -> Failure {
        let (first, second) = (members[min(rank, peer)], members[max(rank, peer)])
        let failure = Failure(culprit: "the link between \(first) and \(second)", reason: reason).bounded
        post.put(.suspect(failure))
        return post.waitForEnd() ?? failure
    }

    /// Leaves in good order: waits, for the timeout at most, until the others do so too.
    ///
    /// - Returns: the failure that came in between.
    @discardableResult
    public func leave() -> Failure? {
        post.put(.leave)
        let failure = post.waitForEnd()
        thread.join()
        return failure
    }
}

/// What the control thread and the threads that call upon it share.
final class ControlPost: @unchecked Sendable {
    enum Request {
        case report(Failure, exitCode: Int32)
        case suspect(Failure)
        case leave
        /// Ends at once, as a process does that dies.
        case abandon
    }

    // Guarded by the monitor.
    private let monitor = Monitor()
    private var requests: [Request] = []
    private var firstFailure: Failure?
    private var hasEnded = false

    /// A pipe: a byte in it wakes the thread from `poll`.
    let wakeUp: Int32
    private let bell: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let made = pipe(&ends)
        precondition(made == 0, "pipe failed: \(errorText(errno))")
        for end in ends {
            _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        (wakeUp, bell) = (ends[0], ends[1])
    }

    deinit {
        close(wakeUp)
        close(bell)
    }

    // MARK: For callers

    func put(_ request: Request) {
        monitor.locked { requests.append(request) }
        var byte: UInt8 = 0
        // A pipe that is full wakes as well.
        _ = write(bell, &byte, 1)
    }

    var failure: Failure? { monitor.locked { firstFailure } }

    func waitForEnd() -> Failure? {
        monitor.locked {
            while !hasEnded { monitor.wait() }
            return firstFailure
        }
    }

    // MARK: For the control thread

    func takeRequests() -> [Request] {
        var bytes: (UInt64, UInt64) = (0, 0)
        while read(wakeUp, &bytes, 16) > 0 {}
        return monitor.locked {
            defer { requests.removeAll() }
            return requests
        }
    }

    func failed(_ failure: Failure) { monitor.locked { firstFailure = failure } }

    func ended() {
        monitor.locked {
            hasEnded = true
            monitor.wake()
        }
    }
}
