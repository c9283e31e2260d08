/// A lock with a condition to wait for, at a stable address. Guards what its owner says it guards.
///
/// It is made of the C library's mutex because ThreadSanitizer follows that one. The standard library's `Mutex` waits in code
/// that the sanitizer does not see, so that it reports races between threads that took turns.
public final class Monitor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// An unlocked monitor that nobody waits for.
    public init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// What `body` returns, which no other thread's `body` runs beside. Not reentrant.
    public func locked<R>(_ body: () throws -> R) rethrows -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Unlocks, waits for `wake`, and locks again. Only while locked; may return without a cause.
    public func wait() { pthread_cond_wait(condition, mutex) }

    /// Wakes all threads that wait.
    public func wake() { pthread_cond_broadcast(condition) }
}
