import CVectorKernels
import Platform
import Synchronization

/// Records which parts of a step a pool's workers spend their time on while a closure runs.
///
/// ```swift
/// let profile = Profile(pool: pool)
/// for iteration in 0..<3 { profile.record { step.update(iteration) } }
/// print(profile.seconds[.linearForward], profile.wallSeconds)
/// ```
/// The vector kernels record themselves through the kernel table; `Profile.measure` records everything else. Nested
/// time belongs to the innermost part. The parts of one worker therefore add up to the time it was busy, and all parts,
/// `idle` included, add up to wall time times workers. Without a recording, kernels run through their plain table and
/// `measure` only tests a flag.
public final class Profile {
    /// A span of one worker's time.
    public struct Event: Sendable {
        /// The part that the span belongs to.
        public let part: Part
        /// The start and the end, in nanoseconds of the monotonic clock.
        public let start, end: UInt64
    }

    /// One call of `record`, in nanoseconds of the monotonic clock.
    public struct Recording: Sendable {
        /// The times at which the call began and ended.
        public let start, end: UInt64
        /// The CPU time of the calling thread during the call, in nanoseconds.
        public let processorTime: UInt64
    }

    /// The current time of the monotonic clock, in nanoseconds.
    public static var now: UInt64 { dt_profile_now() }

    /// All calls of `record`, in order.
    public private(set) var recordings: [Recording] = []

    private let pool: WorkerPool
    private let recorders: UnsafeMutableBufferPointer<dt_recorder>

    /// The number of active recordings of all profiles. The first one switches to the recording kernel table and the
    /// last one switches back.
    private static let active = Guarded(0)

    /// Creates a profile of one pool's workers. Other pools may run at the same time; they are not recorded.
    ///
    /// - Parameters:
    ///   - pool: the pool whose workers are recorded.
    ///   - eventsPerWorker: the number of spans per worker to keep for a trace (24 bytes each).
    public init(pool: WorkerPool, eventsPerWorker: Int = 0) {
        self.pool = pool
        recorders = .allocate(capacity: pool.threadCount)
        recorders.initialize(repeating: dt_recorder())
        for index in recorders.indices where eventsPerWorker > 0 {
            recorders[index].events = .allocate(capacity: eventsPerWorker)
            recorders[index].capacity = eventsPerWorker
        }
    }

    deinit {
        for recorder in recorders { recorder.events?.deallocate() }
        recorders.deallocate()
    }

    /// Runs `body` and counts its time as `part` if this thread is being recorded.
    @inlinable
    @inline(__always)
    public static func measure<Result>(_ part: Part, _ body: () throws -> Result) rethrows -> Result {
        guard dt_profile_is_on() else { return try body() }
        let span = dt_profile_begin(dt_part(UInt32(part.rawValue)))
        defer { dt_profile_end(span) }
        return try body()
    }

    /// Runs `body` and records what the pool's workers do in the meantime. Do not call this inside a phase of the pool.
    public func record<Result>(_ body: () throws -> Result) rethrows -> Result {
        Self.change(by: 1)
        attach(true)
        // The caller is worker 0. Its work outside of phases counts too.
        let caller = recorders.baseAddress!
        let processorStart = Self.threadTime
        let start = dt_profile_now()
        caller.pointee.mark = start
        caller.pointee.part = Part.other.rawValue
        defer {
            let end = dt_profile_now()
            let processorTime = Self.threadTime - processorStart
            caller.pointee.add(end - caller.pointee.mark, to: .other)
            attach(false)
            Self.change(by: -1)
            recordings.append(Recording(start: start, end: end, processorTime: processorTime))
        }
        return try body()
    }

    private static var threadTime: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private static func change(by count: Int) {
        active.withLock { active in
            active += count
            dt_profile_change_recordings(Int32(count))
        }
    }

    /// Attaches a recorder to each worker's thread, or detaches it. The caller's recorder is attached last and detached
    /// first, so that it does not record this work. Each task waits until all tasks have begun, so that no thread takes
    /// two of them.
    private func attach(_ attaches: Bool) {
        let base = recorders.baseAddress!
        if !attaches { dt_profile_attach(nil) }
        let arrived = Atomic<Int>(0)
        pool.run(pool.threadCount) { _, worker in
            base[worker].part = -1
            if worker > 0 { dt_profile_attach(attaches ? base + worker : nil) }
            arrived.add(1, ordering: .sequentiallyConsistent)
            var waited = 0
            while arrived.load(ordering: .sequentiallyConsistent) < pool.threadCount {
                waited += 1
                // If there are more threads than cores, yield so that the other threads can run.
                if waited < 1000 { dt_pause() } else { sched_yield() }
            }
        }
        if attaches { dt_profile_attach(base) }
    }
}

extension Profile {
    /// The number of workers in the pool, including the caller.
    public var workerCount: Int { recorders.count }

    /// The total duration of the recorded calls, in seconds of wall time.
    public var wallSeconds: Double {
        recordings.reduce(0) { $0 + Double($1.end - $1.start) } * 1e-9
    }

    /// The seconds of each part, summed over the workers. They add up to wall time times workers; time that no worker
    /// was busy counts as idle.
    public var seconds: [Part: Double] {
        var sums = Dictionary(uniqueKeysWithValues: Part.allCases.map { ($0, 0.0) })
        for worker in 0..<workerCount {
            for (part, seconds) in self.seconds(ofWorker: worker) where part != .idle { sums[part]! += seconds }
        }
        // Sums of integer nanoseconds are exact but sums of seconds are not, so rounding could make an idle time of
        // zero negative.
        sums[.idle] = max(0, wallSeconds * Double(workerCount) - sums.values.reduce(0, +))
        return sums
    }

    /// Returns the seconds of each part that one worker recorded. Only worker 0, the caller, records waiting.
    public func seconds(ofWorker worker: Int) -> [Part: Double] {
        withUnsafeBytes(of: recorders[worker].totals) { totals in
            let totals = totals.assumingMemoryBound(to: UInt64.self)
            return Dictionary(
                uniqueKeysWithValues: Part.allCases.map { ($0, Double(totals[Int($0.rawValue)]) * 1e-9) }
            )
        }
    }

    /// Returns the spans of one worker in the order of their ends: an inner span comes before the span that encloses
    /// it.
    public func events(ofWorker worker: Int) -> [Event] {
        let recorder = recorders[worker]
        return (0..<recorder.count).map { index in
            let event = recorder.events[index]
            return Event(part: Part(rawValue: event.part)!, start: event.start, end: event.end)
        }
    }

    /// The number of spans that were not kept because `eventsPerWorker` was reached.
    public var droppedEvents: Int { recorders.reduce(0) { $0 + $1.dropped } }
}

extension dt_recorder {
    fileprivate mutating func add(_ nanoseconds: UInt64, to part: Part) {
        withUnsafeMutableBytes(of: &totals) {
            $0.assumingMemoryBound(to: UInt64.self)[Int(part.rawValue)] += nanoseconds
        }
    }
}
