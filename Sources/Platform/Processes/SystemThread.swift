/// An operating-system thread, for work that must stay on one thread, such as all calls of MPI.
package final class SystemThread {
    /// The signals that a thread does not receive.
    package enum BlockedSignals {
        /// The signals that the creating thread blocks.
        case inherited
        /// Also SIGTERM, SIGINT and SIGUSR1, which end a run: the training thread receives them.
        case endingRun
        case all
    }

    private let thread: pthread_t
    private var isJoined = false

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - stackSize: in bytes. The default is what macOS gives a thread; a worker needs less than 128 KB, a rank that trains
    ///     less than 256 KB.
    ///   - blocked: signals that the thread does not receive.
    package init(
        stackSize: Int = 512 << 10,
        blocking blocked: BlockedSignals = .endingRun,
        _ body: @escaping @Sendable () -> Void
    ) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        let start = Unmanaged.passRetained(Start(body)).toOpaque()
        // A new thread inherits its creator's signal mask. Setting the mask before creation ensures that no signal
        // reaches the new thread in between.
        var before = sigset_t()
        var signals = blocked.set
        pthread_sigmask(SIG_BLOCK, &signals, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        #if canImport(Darwin)
            var thread: pthread_t?
            let failure = pthread_create(&thread, &attributes, { Start.run($0) }, start)
            precondition(failure == 0, "pthread_create failed with \(failure)")
            self.thread = thread!
        #else
            var thread = pthread_t()
            let failure = pthread_create(&thread, &attributes, { Start.run($0!) }, start)
            precondition(failure == 0, "pthread_create failed with \(failure)")
            self.thread = thread
        #endif
    }

    /// Detaches the thread if it was not joined: it keeps running, and the system frees it when it ends.
    deinit { if !isJoined { pthread_detach(thread) } }

    /// Waits until the thread ends.
    package func join() {
        guard !isJoined else { return }
        isJoined = true
        pthread_join(thread, nil)
    }

    private final class Start {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }

        static func run(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
            Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }
    }
}

extension SystemThread.BlockedSignals {
    fileprivate var set: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        switch self {
        case .inherited: break
        case .endingRun: for signal in [SIGTERM, SIGINT, SIGUSR1] { sigaddset(&signals, signal) }
        case .all: sigfillset(&signals)
        }
        return signals
    }
}
