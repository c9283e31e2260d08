/// A lock with a condition variable, at a stable address. Its owner decides what it guards.
///
/// It uses the C library's mutex, because ThreadSanitizer follows it. The standard library's `Mutex` waits in code that
/// the sanitizer does not see, so the sanitizer reports races that do not exist.
public final class Monitor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// Creates an unlocked monitor.
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

    /// Runs `body` while holding the lock and returns the result. Calls must not be nested.
    public func locked<R>(_ body: () throws -> R) rethrows -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Releases the lock, waits for `wake`, and takes the lock again. Call this only while holding the lock. It may
    /// return without `wake`.
    public func wait() { pthread_cond_wait(condition, mutex) }

    /// Wakes all waiting threads.
    public func wake() { pthread_cond_broadcast(condition) }
}
