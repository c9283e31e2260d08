import CVectorKernels
import Platform

/// The one thread that uses a transport: it carries out what it is given, in order, until something fails.
///
/// The transport is made and ended on it too, since MPI wants all its calls from the thread that initialized it.
///
/// The thread retains the memory of a job until the job is done and the transport has let go of it, whatever the caller does.
/// Where a transport cannot let go after a failure (see `RingTransport.withdraw`), the memory is never freed.
final class CommunicationThread: @unchecked Sendable {
    typealias Job = (any RingTransport) throws -> Void

    // Guarded by the monitor.
    private let monitor = Monitor()
    private var submissions: [Submission] = []
    private var unfinished = 0
    private var isEnding = false
    private var failure: (any Error)?
    private var busyTime = Duration.zero
    /// Nil while nobody wants them.
    private var spans: [Communicator.Span]?
    private var explain: @Sendable (any Error) -> any Error = { $0 }

    private var thread: SystemThread?

    private struct Submission {
        let work: Communicator.Work
        /// The owners of what the job reads and writes.
        let memory: [AnyObject]
        let job: Job
    }

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
                    submissions.removeAll()
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
        submit(.exchange, memory: []) { value = try body($0) }
        try wait()
        return value!
    }

    /// What is submitted after a failure is dropped; `wait` throws it.
    ///
    /// - Parameter memory: the owners of what the job reads and writes. None may own this thread, which they would outlive.
    func submit(_ work: Communicator.Work, memory: [AnyObject], _ job: @escaping Job) {
        monitor.locked {
            guard failure == nil else { return }
            precondition(!isEnding, "a collective after the end")
            submissions.append(Submission(work: work, memory: memory, job: job))
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
        while let span = try carryOutNext(transport) {
            monitor.locked {
                busyTime += .nanoseconds(Int64(span.end - span.start))
                spans?.append(span)
                unfinished -= 1
                monitor.wake()
            }
        }
        transport.close()
    }

    /// Waits for a submission and carries it out. Its memory is released before it counts as finished.
    /// - Returns: nil at the end.
    private func carryOutNext(_ transport: any RingTransport) throws -> Communicator.Span? {
        guard let submission = nextSubmission() else { return nil }
        let start = dt_profile_now()
        do {
            try submission.job(transport)
        } catch {
            if !transport.withdraw() {
                for owner in submission.memory { _ = Unmanaged.passRetained(owner) }
            }
            throw error
        }
        return Communicator.Span(work: submission.work, start: start, end: dt_profile_now())
    }

    /// Waits for one; nil at the end.
    private func nextSubmission() -> Submission? {
        monitor.locked {
            while submissions.isEmpty, !isEnding { monitor.wait() }
            return submissions.isEmpty ? nil : submissions.removeFirst()
        }
    }
}
