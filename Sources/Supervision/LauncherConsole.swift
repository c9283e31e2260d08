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
        while !waiting.isEmpty {
            let targets = waiting
            var descriptors = targets.map {
                pollfd(fd: queues[$0.rawValue].descriptor, events: Int16(POLLOUT), revents: 0)
            }
            descriptors.append(pollfd(fd: signals, events: Int16(POLLIN), revents: 0))
            guard poll(&descriptors, nfds_t(descriptors.count), 100) > 0 else {
                if targets.allSatisfy({ queues[$0.rawValue].isUnread }) { return }
                continue
            }
            if descriptors.last!.revents != 0 { return }
            for (target, descriptor) in zip(targets, descriptors) where descriptor.revents != 0 {
                writeSome(to: target)
            }
        }
    }
}
