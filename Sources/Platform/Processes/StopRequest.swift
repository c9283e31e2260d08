import Synchronization

/// A wish that the run end: it leaves what it is at, saves the last whole step, and says that it was stopped.
public final class StopRequest: Sendable {
    private let requested = Atomic<Bool>(false)
    private let listensForSignals = Atomic<Bool>(false)

    /// One that only `request` makes, until `listen` is called.
    public init() {}

    /// From now on `EndingSignals` make this request.
    ///
    /// - Parameter saying: whether the first signal is acknowledged with a line on standard error.
    public func listen(saying: Bool = true) {
        EndingSignals.saveFirst(saying: saying)
        listensForSignals.store(true, ordering: .relaxed)
    }

    /// From any thread; a second call changes nothing.
    public func request() { requested.store(true, ordering: .relaxed) }

    /// Whether the run was asked to end, by a call or a signal.
    public var isRequested: Bool {
        requested.load(ordering: .relaxed)
            || listensForSignals.load(ordering: .relaxed) && EndingSignals.hasCome
    }
}
