import Synchronization

/// A request to stop a run. The run abandons its current step, saves the last complete step, and reports that it was
/// stopped.
public final class StopRequest: Sendable {
    private let requested = Atomic<Bool>(false)
    private let listensForSignals = Atomic<Bool>(false)

    /// Creates a request that only `request` makes, until `listen` is called.
    public init() {}

    /// Makes the signals of `EndingSignals` make this request from now on.
    ///
    /// - Parameter saying: whether to acknowledge the first signal with a line on standard error.
    public func listen(saying: Bool = true) {
        EndingSignals.saveFirst(saying: saying)
        listensForSignals.store(true, ordering: .relaxed)
    }

    /// Makes the request. Any thread may call this; further calls do nothing.
    public func request() { requested.store(true, ordering: .relaxed) }

    /// Whether the request was made, by a call or by a signal.
    public var isRequested: Bool {
        requested.load(ordering: .relaxed)
            || listensForSignals.load(ordering: .relaxed) && EndingSignals.hasCome
    }
}
