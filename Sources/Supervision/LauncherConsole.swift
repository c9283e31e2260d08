import Platform

/// The launcher's own two streams, shared by all ranks line by line.
struct LauncherConsole {
    private var queues: [OutputQueue]
    private var hasComplained = false

    /// - Parameter patience: how long a reader may take nothing before what is oldest is dropped, and the end does not wait for it.
    init(output: Int32, errors: Int32, patience: Duration = OutputWriter.patience) {
        queues = [output, errors].map { OutputQueue(descriptor: $0, patience: patience) }
    }

    func descriptor(_ target: RankProcess.Target) -> Int32 { queues[target.rawValue].descriptor }

    /// A line of the launcher's own.
    mutating func say(_ line: String) { append(Array("launch: \(line)\n".utf8)[...], to: .errors) }

    mutating func append(_ bytes: ArraySlice<UInt8>, to target: RankProcess.Target) {
        queues[target.rawValue].append(bytes)
    }

    func isFull(_ target: RankProcess.Target) -> Bool { queues[target.rawValue].isFull }

    /// The descriptors that something is to be written to.
    var waiting: [RankProcess.Target] { RankProcess.Target.allCases.filter { !queues[$0.rawValue].isEmpty } }

    mutating func writeSome(to target: RankProcess.Target) {
        queues[target.rawValue].writeSome()
        // Nobody misses what nobody reads; a full disk is another thing.
        guard target == .output, !hasComplained, let code = queues[target.rawValue].failure, code != EPIPE else {
            return
        }
        hasComplained = true
        say("cannot write to standard output: \(errorText(code)); what ranks print there is lost")
    }

    /// Writes all that waits, unless a signal comes or nobody reads.
    mutating func flush(signals: Int32) {
        while !waiting.isEmpty, !writeOnce(within: 100, signals: signals) {
            if waiting.allSatisfy({ queues[$0.rawValue].isUnread }) { return }
        }
    }

    /// Lets time pass, and writes meanwhile.
    ///
    /// - Returns: whether a signal came, which ends it.
    mutating func pause(for duration: Duration, signals: Int32) -> Bool {
        let end = ContinuousClock.now + duration
        while true {
            let rest = max(.zero, end - .now)
            if writeOnce(within: Int32((rest / .milliseconds(1)).rounded(.up)), signals: signals) { return true }
            if rest == .zero { return false }
        }
    }

    /// Waits until something can be written, for at most a number of milliseconds.
    ///
    /// - Returns: whether a signal came.
    private mutating func writeOnce(within milliseconds: Int32, signals: Int32) -> Bool {
        let targets = waiting
        var descriptors = targets.map {
            pollfd(fd: queues[$0.rawValue].descriptor, events: Int16(POLLOUT), revents: 0)
        }
        descriptors.append(pollfd(fd: signals, events: Int16(POLLIN), revents: 0))
        guard poll(&descriptors, nfds_t(descriptors.count), milliseconds) > 0 else { return false }
        for (target, descriptor) in zip(targets, descriptors) where descriptor.revents != 0 {
            writeSome(to: target)
        }
        return descriptors.last!.revents != 0
    }
}
