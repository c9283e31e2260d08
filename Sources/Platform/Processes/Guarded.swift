/// A value that one thread at a time reads or changes.
public final class Guarded<Value>: @unchecked Sendable {
    private let monitor = Monitor()
    private var value: Value

    /// - Parameter value: the value to begin with. Only this object may refer to what it refers to.
    public init(_ value: sending Value) { self.value = value }

    /// What `body` returns of the value, which no other thread touches meanwhile. Not reentrant.
    public func withLock<R>(_ body: (inout Value) throws -> R) rethrows -> R {
        try monitor.locked { try body(&value) }
    }
}
