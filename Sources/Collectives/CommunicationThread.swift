import CVectorKernels
import Platform

/// The one thread that uses a transport: it carries out what it is given, in order, until something fails.
///
/// The transport is made and ended on it too, since MPI wants all its calls from the thread that initialized it.
final class CommunicationThread: @unchecked Sendable {
    typealias Job = (any RingTransport) throws -> Void

    // Guarded by the monitor.
    private let monitor = Monitor()
    private var jobs: [(work: Communicator.Work, job: Job)] = []
    private var unfinished = 0
    private var isEnding = false
    private var failure: (any Error)?
    private var busyTime = Duration.zero
    /// Nil while nobody wants them.
    private var spans: [Communicator.Span]?
    private var explain: @Sendable (any Error) -> any Error = { $0 }

    private var thread: SystemThread?

    /// - Parameter makeTransport: called on the thread.
    init(_ makeTransport: @escaping @Sendable () throws -> any RingTransport) {
        thread = SystemThread { [self] in
            // As in the threads that compute: sums then have the same bits wherever they are made.
            _ = dt_flush_denormals()
            do {
                try work(makeTransport())
            } catch {
                let failure = monitor.locked { explain }(error)
                monitor.locked {
                    self.failure = failure
                    jobs.removeAll()
                    unfinished = 0
                    monitor.wake()
                }
            }
        }
    }

    /// - Parameter explain: called on the thread with the first error; what it returns is thrown to who waits.
    func onFailure(_ explain: @escaping @Sendable (any Error) -> any Error) {
        monitor.locked { self.explain = explain }
    }

    /// Carries out something by itself and returns its result.
    func perform<Value>(_ body: @escaping (any RingTransport) throws -> Value) throws -> Value {
        var value: Value?
        submit(.exchange) { value = try body($0) }
        try wait()
        return value!
    }

    /// What is submitted after a failure is dropped; `wait` throws it.
    func submit(_ work: Communicator.Work, _ job: @escaping Job) {
        monitor.locked {
            guard failure == nil else { return }
            precondition(!isEnding, "a collective after the end")
            jobs.append((work, job))
            unfinished += 1
            monitor.wake()
        }
    }

    /// Waits until everything that was submitted is done.
    func wait() throws {
        try monitor.locked {
            while unfinished > 0 { monitor.wait() }
            if let failure { throw failure }
        }
    }

    /// How long it has been at work.
    var busy: Duration { monitor.locked { busyTime } }

    /// Keeps the spans of jobs from now on, or no longer; returns those that were kept so far.
    @discardableResult
    func keepSpans(_ keeps: Bool) -> [Communicator.Span] {
        monitor.locked {
            defer { spans = keeps ? [] : nil }
            return spans ?? []
        }
    }

    /// Ends the thread when everything is done.
    func end() {
        monitor.locked {
            isEnding = true
            monitor.wake()
        }
        thread?.join()
        // It holds this object.
        thread = nil
    }

    private func work(_ transport: any RingTransport) throws {
        while let next = nextJob() {
            let start = dt_profile_now()
            try next.job(transport)
            let end = dt_profile_now()
            monitor.locked {
                busyTime += .nanoseconds(Int64(end - start))
                spans?.append(Communicator.Span(work: next.work, start: start, end: end))
                unfinished -= 1
                monitor.wake()
            }
        }
        transport.close()
    }

    /// Waits for one; nil at the end.
    private func nextJob() -> (work: Communicator.Work, job: Job)? {
        monitor.locked {
            while jobs.isEmpty, !isEnding { monitor.wait() }
            return jobs.isEmpty ? nil : jobs.removeFirst()
        }
    }
}
