/// A value that only one thread at a time can read or change.
public final class Guarded<Value>: @unchecked Sendable {
    private let monitor = Monitor()
    private var value: Value

    /// Creates a guarded value.
    ///
    /// - Parameter value: the initial value. No other code may keep references into it.
    public init(_ value: sending Value) { self.value = value }

    /// Runs `body` with the value while no other thread can access it, and returns the result. Calls must not be
    /// nested.
    public func withLock<R>(_ body: (inout Value) throws -> R) rethrows -> R {
        try monitor.locked { try body(&value) }
    }
}
