/// What the system counts of a thread that is at work, for whoever watches it: a thread that stands in a call to a file system
/// that hangs uses no processor, and no pages come.
package struct ThreadEffort {
    private let thread: ObservedThread
    private var lastLook: ContinuousClock.Instant
    private var processorTime: Duration
    private var reads: Int

    /// A thread that works uses at least this share of a processor; one that looks now and then whether something has come uses
    /// less.
    private static let share = 0.01

    /// The calling thread, from now on.
    package init(now: ContinuousClock.Instant) {
        thread = ObservedThread()
        lastLook = now
        processorTime = thread.processorTime ?? .zero
        reads = Self.reads
    }

    /// Whether the thread was computing, and whether the process has read from storage, since the last call.
    ///
    /// Another thread may ask, while the thread that was observed runs.
    package mutating func sinceLastLook(now: ContinuousClock.Instant) -> (computed: Bool, read: Bool) {
        let (newTime, newReads) = (thread.processorTime ?? processorTime, Self.reads)
        defer { (lastLook, processorTime, reads) = (now, newTime, newReads) }
        return (newTime - processorTime > (now - lastLook) * Self.share, newReads != reads)
    }

    /// Pages and blocks that came from storage, of all threads.
    private static var reads: Int {
        var usage = rusage()
        // 0 is RUSAGE_SELF, whose type differs between systems.
        getrusage(0, &usage)
        return usage.ru_majflt + usage.ru_inblock
    }
}

#if canImport(Darwin)
    private struct ObservedThread {
        private let port = pthread_mach_thread_np(pthread_self())

        var processorTime: Duration? {
            var info = thread_basic_info()
            let words = MemoryLayout<thread_basic_info>.size / MemoryLayout<natural_t>.size
            var count = mach_msg_type_number_t(words)
            let status = withUnsafeMutablePointer(to: &info) { info in
                info.withMemoryRebound(to: integer_t.self, capacity: words) {
                    thread_info(port, thread_flavor_t(THREAD_BASIC_INFO), $0, &count)
                }
            }
            guard status == KERN_SUCCESS else { return nil }
            return .seconds(Int(info.user_time.seconds) + Int(info.system_time.seconds))
                + .microseconds(Int(info.user_time.microseconds) + Int(info.system_time.microseconds))
        }
    }
#else
    private struct ObservedThread {
        private let clock: clockid_t?

        init() {
            var clock = clockid_t()
            self.clock = pthread_getcpuclockid(pthread_self(), &clock) == 0 ? clock : nil
        }

        var processorTime: Duration? {
            var time = timespec()
            guard let clock, clock_gettime(clock, &time) == 0 else { return nil }
            return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
        }
    }
#endif
