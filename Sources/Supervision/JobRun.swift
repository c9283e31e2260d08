import Platform

/// One start of all ranks, from the first process to the last one's end.
///
/// One thread polls everything and waits for nothing else: neither a rank that writes much nor a slow reader of the
/// launcher's own output holds up signals, deadlines or other ranks.
final class JobRun {
    private let patience: Job.Patience
    private let signals: Int32
    private let logs: RankLogs?
    private var ranks: [RankProcess] = []
    private var ends: [JobEnd.Rank] = []
    /// Ranks watch the other end.
    private let parentPipe: Int32

    private var forwarded: Set<Int32> = []
    /// When a signal first asked for the end.
    private var firstRequest: ContinuousClock.Instant?
    private var hasLostPatience = false
    /// Nobody is to wait for the rest of the output.
    private var wasHurried = false
    private var terminateAt: ContinuousClock.Instant?
    private var killAt: ContinuousClock.Instant?
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    /// Starts all ranks.
    ///
    /// - Parameters:
    ///   - arguments: in place of the job's own.
    ///   - signals: what signals to the launcher are read from, as from a `SignalPipe`.
    ///   - logs: files that receive what ranks print, too.
    /// - Throws: `UserError` when one cannot be started; then none is left.
    init(_ job: Job, arguments: [String], signals: Int32, logs: RankLogs?) throws {
        patience = job.patience
        self.signals = signals
        self.logs = logs
        // Two pipes a rank, and what is open anyway.
        OpenFileLimit.raise(to: 2 * job.rankCount + 64)
        let listener = try LoopbackListener()
        let environment = RankEnvironment(port: listener.port)
        let (readEnd, writeEnd) = try ChildProcess.makePipe(to: "ranks")
        defer { close(readEnd) }
        parentPipe = writeEnd
        do {
            let watched = try Descriptor.moved(readEnd)
            defer { close(watched) }
            for rank in 0..<job.rankCount {
                var given = [RankEnvironment.parentDescriptor: watched]
                if rank == 0 { given[RankEnvironment.listenDescriptor] = listener.descriptor }
                ranks.append(
                    try RankProcess(rank: rank, job: job, arguments: arguments, environment: environment, given: given)
                )
            }
        } catch {
            abandon()
            throw error
        }
        // From here on rank 0 alone listens: when it is gone, who calls is refused and does not wait.
    }

    deinit { close(parentPipe) }

    /// Nothing is left behind where a later rank cannot be started.
    private func abandon() {
        for rank in ranks {
            rank.killGroup()
            _ = rank.process.wait()
            for index in rank.streams.indices { rank.finish(index) { _ in } }
        }
    }

    /// Passes on output and signals until every rank has ended.
    func wait(_ console: inout LauncherConsole) -> JobEnd {
        let longest = Duration.milliseconds(250)
        var pause = Duration.milliseconds(1)
        var lastNews = ContinuousClock.now
        while true {
            if noteEnds() { lastNews = .now }
            if ends.count == ranks.count {
                let isSilent = ranks.allSatisfy { $0.streams.allSatisfy { !$0.isOpen } }
                // A process that left its group may hold a stream open.
                if isSilent || wasHurried || console.waiting.isEmpty && .now - lastNews > patience.afterEnd { break }
            }
            actOnDeadlines(&console)
            if let complaint = logs?.takeComplaint() { console.say(complaint) }
            if waitOnce(at: pause, &console) {
                lastNews = .now
                pause = .milliseconds(1)
            } else {
                // A rank's end shows first in its streams, usually; the look for it is then repeated soon.
                pause = min(pause * 2, longest)
            }
        }
        for rank in ranks {
            for (index, stream) in rank.streams.enumerated() {
                rank.finish(index) { passOn($0, of: rank.rank, stream.target, prefix: stream.lines.prefix, &console) }
            }
        }
        return JobEnd(ranks: ends, wasSignalled: !forwarded.isEmpty)
    }

    /// - Returns: whether a rank has ended since the last call.
    private func noteEnds() -> Bool {
        var hasNews = false
        for rank in ranks where rank.hasJustEnded() {
            hasNews = true
            let end = JobEnd.Rank(rank: rank.rank, end: rank.end!, wasEnded: rank.wasEnded)
            ends.append(end)
            if end.isFailure, terminateAt == nil, !hasLostPatience { terminateAt = .now + patience.afterFailure }
        }
        return hasNews
    }

    private func actOnDeadlines(_ console: inout LauncherConsole) {
        if let deadline = terminateAt, deadline <= .now {
            terminateAt = nil
            losePatience(
                for: patience.afterTerminate,
                &console,
                because: JobEnd(ranks: ends, wasSignalled: false).summary
            )
        }
        if let deadline = killAt, deadline <= .now {
            killAt = nil
            for rank in ranks { rank.killGroup() }
        }
    }

    private func losePatience(for duration: Duration, _ console: inout LauncherConsole, because reason: String) {
        hasLostPatience = true
        killAt = .now + duration
        let names = ranks.filter(\.isRunning).map { String($0.rank) }
        guard !names.isEmpty else { return }
        console.say(
            "\(reason), and \(names.count == 1 ? "rank" : "ranks") \(names.joined(separator: ", ")) ended for that"
        )
        for rank in ranks { rank.terminate() }
    }

    /// Every rank gets each signal once. A second request for the end ends ranks soon, a third at once.
    private func pass(_ signal: Int32, _ console: inout LauncherConsole) {
        guard ends.count < ranks.count else { return wasHurried = true }
        guard signal != SIGUSR1 else { return forward(signal) }
        guard let firstRequest else {
            firstRequest = .now
            console.say(
                "\(Self.name(of: signal)): the ranks are told to save and end; another signal, 2 s from now or later, ends them "
                    + "without saving"
            )
            return forward(signal)
        }
        guard .now - firstRequest >= patience.beforeSecondSignal else { return }
        if hasLostPatience {
            killAt = .now
        } else {
            losePatience(for: patience.afterSecondSignal, &console, because: "a second signal")
        }
    }

    private func forward(_ signal: Int32) {
        guard forwarded.insert(signal).inserted else { return }
        for rank in ranks { rank.send(signal) }
    }

    /// As in "SIGTERM".
    static func name(of signal: Int32) -> String {
        [SIGTERM: "SIGTERM", SIGINT: "SIGINT", SIGHUP: "SIGHUP", SIGUSR1: "SIGUSR1"][signal] ?? "signal \(signal)"
    }

    /// Waits for anything to happen, and does what that asks for.
    ///
    /// - Returns: whether anything did.
    private func waitOnce(at pause: Duration, _ console: inout LauncherConsole) -> Bool {
        let targets = console.waiting
        var descriptors = [pollfd(fd: signals, events: Int16(POLLIN), revents: 0)]
        descriptors += targets.map { pollfd(fd: console.descriptor($0), events: Int16(POLLOUT), revents: 0) }
        var readers: [(rank: RankProcess, index: Int)] = []
        for rank in ranks {
            for (index, stream) in rank.streams.enumerated() where stream.isOpen && !console.isFull(stream.target) {
                readers.append((rank, index))
                descriptors.append(pollfd(fd: stream.descriptor, events: Int16(POLLIN), revents: 0))
            }
        }
        let milliseconds = Int32(pause / .milliseconds(1))
        guard poll(&descriptors, nfds_t(descriptors.count), max(1, milliseconds)) > 0 else { return false }
        if descriptors[0].revents != 0 {
            for signal in Self.take(signals) { pass(signal, &console) }
        }
        for (target, descriptor) in zip(targets, descriptors[1...]) where descriptor.revents != 0 {
            console.writeSome(to: target)
        }
        for (reader, descriptor) in zip(readers, descriptors[(1 + targets.count)...]) where descriptor.revents != 0 {
            let (rank, stream) = (reader.rank, reader.rank.streams[reader.index])
            let (target, prefix) = (stream.target, stream.lines.prefix)
            _ = rank.read(reader.index, into: &buffer) { passOn($0, of: rank.rank, target, prefix: prefix, &console) }
        }
        return true
    }

    /// Lines go to the launcher's stream with their prefix, and to the rank's file without it.
    private func passOn(
        _ lines: ArraySlice<UInt8>,
        of rank: Int,
        _ target: RankProcess.Target,
        prefix: [UInt8],
        _ console: inout LauncherConsole
    ) {
        console.append(lines, to: target)
        logs?.append(lines.dropFirst(prefix.count), rank: rank)
    }

    /// The signals that have come.
    static func take(_ signals: Int32) -> [Int32] {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(signals, &bytes, bytes.count)
        return count > 0 ? bytes[..<count].map { Int32($0) } : []
    }
}
