import CVectorKernels
import Platform
import Synchronization

/// Records where the time of a pool's workers goes, while a closure runs.
///
/// ```swift
/// let profile = Profile(pool: pool)
/// for iteration in 0..<3 { profile.record { step.update(iteration) } }
/// print(profile.seconds[.linearForward], profile.wallSeconds)
/// ```
/// The vector loops record themselves by way of the kernels' table, everything else by `Profile.measure`. Time within a
/// measured part belongs to the innermost one, so every worker's parts add up to the time it was at work, and all parts,
/// `idle` included, to wall time times workers. While nothing is recorded the loops are called as ever, and `measure` costs
/// a test of a flag.
public final class Profile {
    /// A measured part of one worker's time.
    public struct Event: Sendable {
        /// What the worker was at.
        public let part: Part
        /// Nanoseconds of the monotonic clock.
        public let start, end: UInt64
    }

    /// A closure that was recorded, in nanoseconds of the monotonic clock.
    public struct Recording: Sendable {
        /// Moments, not durations.
        public let start, end: UInt64
        /// Nanoseconds for which the calling thread had a processor meanwhile.
        public let processorTime: UInt64
    }

    /// The monotonic clock, in nanoseconds.
    public static var now: UInt64 { dt_profile_now() }

    /// Every closure that was recorded, in order.
    public private(set) var recordings: [Recording] = []

    private let pool: WorkerPool
    private let recorders: UnsafeMutableBufferPointer<dt_recorder>

    /// Recordings of all profiles that go on: the kernels' table is exchanged by the first and put back by the last.
    private static let active = Guarded(0)

    /// - Parameters:
    ///   - pool: whose workers are recorded. Only these are: other pools may run at the same time.
    ///   - eventsPerWorker: how many parts of each worker are kept one by one, for a trace (24 bytes each).
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

    /// Time inside `body` belongs to `part` if this thread is being recorded.
    @inlinable
    @inline(__always)
    public static func measure<Result>(_ part: Part, _ body: () throws -> Result) rethrows -> Result {
        guard dt_profile_is_on() else { return try body() }
        let span = dt_profile_begin(dt_part(UInt32(part.rawValue)))
        defer { dt_profile_end(span) }
        return try body()
    }

    /// Runs `body` and records what the pool's workers do meanwhile; not within a phase of the pool.
    public func record<Result>(_ body: () throws -> Result) rethrows -> Result {
        Self.change(by: 1)
        attach(true)
        // The caller is worker 0. What it does outside of phases is work too.
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

    /// Gives each worker's thread its recorder, or takes it away; the caller's own is the first to go and the last to come,
    /// so that it records nothing of this. Every task waits until all have begun, so that no thread takes two of them.
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
                // Where threads outnumber cores, the others must come to run.
                if waited < 1000 { dt_pause() } else { sched_yield() }
            }
        }
        if attaches { dt_profile_attach(base) }
    }
}

extension Profile {
    /// Threads of the pool.
    public var workerCount: Int { recorders.count }

    /// Duration of the recorded closures together.
    public var wallSeconds: Double {
        recordings.reduce(0) { $0 + Double($1.end - $1.start) } * 1e-9
    }

    /// Seconds of each part, summed over the workers. All together they are wall time times workers: what no worker spent
    /// at work is idle.
    public var seconds: [Part: Double] {
        var sums = Dictionary(uniqueKeysWithValues: Part.allCases.map { ($0, 0.0) })
        for worker in 0..<workerCount {
            for (part, seconds) in self.seconds(ofWorker: worker) where part != .idle { sums[part]! += seconds }
        }
        // Sums of nanoseconds are exact, those of seconds are not: an idle time of nothing must not come out below it.
        sums[.idle] = max(0, wallSeconds * Double(workerCount) - sums.values.reduce(0, +))
        return sums
    }

    /// Seconds of each part as one worker recorded them. Only worker 0, the caller, records that it waits.
    public func seconds(ofWorker worker: Int) -> [Part: Double] {
        withUnsafeBytes(of: recorders[worker].totals) { totals in
            let totals = totals.assumingMemoryBound(to: UInt64.self)
            return Dictionary(
                uniqueKeysWithValues: Part.allCases.map { ($0, Double(totals[Int($0.rawValue)]) * 1e-9) }
            )
        }
    }

    /// The measured parts of one worker, by their ends: an inner one comes before the one around it.
    public func events(ofWorker worker: Int) -> [Event] {
        let recorder = recorders[worker]
        return (0..<recorder.count).map { index in
            let event = recorder.events[index]
            return Event(part: Part(rawValue: event.part)!, start: event.start, end: event.end)
        }
    }

    /// Parts that were not kept one by one, for want of room.
    public var droppedEvents: Int { recorders.reduce(0) { $0 + $1.dropped } }
}

extension dt_recorder {
    fileprivate mutating func add(_ nanoseconds: UInt64, to part: Part) {
        withUnsafeMutableBytes(of: &totals) {
            $0.assumingMemoryBound(to: UInt64.self)[Int(part.rawValue)] += nanoseconds
        }
    }
}
