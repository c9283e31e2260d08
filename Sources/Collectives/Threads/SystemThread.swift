#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A thread of the operating system, neither a task nor a queue's: MPI wants one and the same for all its calls.
///
/// Signals that ask for the end of the run are blocked in it, so that the thread that trains receives them.
package final class SystemThread {
    private let thread: pthread_t
    private var isJoined = false

    /// - Parameter stackSize: in bytes. 512 KB is what macOS gives a thread, and several times what a rank that trains needs.
    package init(stackSize: Int = 512 << 10, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(body)).toOpaque()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, stackSize)
        defer { pthread_attr_destroy(&attributes) }
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

    /// Waits for its end.
    package func join() {
        guard !isJoined else { return }
        isJoined = true
        pthread_join(thread, nil)
    }

    private final class Start {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }

        static func run(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
            let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            var signals = sigset_t()
            sigemptyset(&signals)
            for signal in [SIGTERM, SIGINT, SIGUSR1] { sigaddset(&signals, signal) }
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            start.body()
            return nil
        }
    }
}
