import Platform
import Synchronization

/// A wish that the run end: it finishes its step, saves, and says that it was stopped.
public final class StopRequest: Sendable {
    private let requested = Atomic<Bool>(false)
    private let listensForSignals: Bool

    /// One that only `request` makes: no signal is listened to.
    public init() { listensForSignals = false }

    private init(listensForSignals: Bool) { self.listensForSignals = listensForSignals }

    /// A request that SIGTERM, SIGINT and SIGUSR1 make. A second one of the same kind ends the process at once.
    ///
    /// By handler and not by a thread in `sigwait`: OpenBLAS starts a thread before `main`, in which no signal is blocked.
    public static func onSignals() -> StopRequest {
        // Initializes the global, which the handler must not do.
        signalReceived.store(false, ordering: .relaxed)
        // A parent may have started the process with signals blocked.
        var signals = sigset_t()
        sigemptyset(&signals)
        defer { pthread_sigmask(SIG_UNBLOCK, &signals, nil) }
        for signal in [SIGTERM, SIGINT, SIGUSR1] {
            sigaddset(&signals, signal)
            var action = sigaction()
            action.setHandler { _ in signalReceived.store(true, ordering: .relaxed) }
            // The one flag is the highest bit on Linux, which C has as an unsigned number.
            action.sa_flags = Int32(truncatingIfNeeded: SA_RESTART) | Int32(truncatingIfNeeded: SA_RESETHAND)
            sigaction(signal, &action, nil)
        }
        return StopRequest(listensForSignals: true)
    }

    /// From any thread; a second call changes nothing.
    public func request() { requested.store(true, ordering: .relaxed) }

    /// Whether the run was asked to end, by a call or a signal.
    public var isRequested: Bool {
        requested.load(ordering: .relaxed) || listensForSignals && signalReceived.load(ordering: .relaxed)
    }
}

/// Signals belong to the process, so this is global.
private let signalReceived = Atomic<Bool>(false)
