import CVectorKernels
import Platform
import Synchronization

/// A pool of threads that run the tasks of one phase together. The calling thread is one of the workers.
///
/// A phase consists of independent tasks that write to separate memory. Results therefore do not depend on which worker
/// runs which task, or on the number of workers. `run` returns when every task is done.
///
/// One atomic word hands out tasks: `phase << 32 | remaining tasks`. A worker that wakes up late finds a task of the
/// current phase or none, and `run` does not wait for workers that have no task. Idle workers spin for some
/// microseconds, because phases follow each other closely, and then sleep.
public final class WorkerPool: @unchecked Sendable {
    /// The number of workers, including the caller of `run`.
    public let threadCount: Int

    private let ticket = Atomic<UInt64>(0)
    private let unfinished = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private var job: Job?
    private var stop: StopRequest?
    private let hasSkippedTasks = Atomic<Bool>(false)
    private let monitor = Monitor()
    private var threads: [SystemThread] = []

    /// Lets a closure cross threads. This is safe because `run` returns only after its last use.
    private struct Job: @unchecked Sendable {
        let taskCount: Int
        let body: (Int, Int) -> Void
    }

    /// About 50 microseconds of spinning: longer than the gap between two phases of a step, and short enough to waste
    /// little.
    private static let spins = 2000

    /// Creates a pool with `threadCount - 1` threads besides the caller.
    ///
    /// - Parameter threadCount: at least 1. With 1, everything runs on the caller.
    public init(threadCount: Int) {
        precondition(threadCount >= 1, "a worker pool needs at least 1 thread, not \(threadCount)")
        self.threadCount = threadCount
        MatrixProducts.prepare()
        for worker in 1..<max(threadCount, 1) { threads.append(startThread(worker)) }
    }

    deinit {
        stopping.store(true, ordering: .sequentiallyConsistent)
        wakeSleepers()
        for thread in threads { thread.join() }
    }

    /// Runs `body(task, worker)` for every task in `0..<taskCount`. `worker` is below `threadCount`. Calls must not be
    /// nested.
    public func run(_ taskCount: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
        let mode = dt_flush_denormals()
        defer { dt_restore_denormals(mode) }
        guard threadCount > 1, taskCount > 1 else {
            for task in 0..<taskCount where !skipsTask() { Profile.measure(.other) { body(task, 0) } }
            return
        }
        precondition(taskCount < 1 << 32)
        withoutActuallyEscaping(body) { escaping in
            job = Job(taskCount: taskCount, body: escaping)
            unfinished.store(taskCount, ordering: .relaxed)
            let phase = (ticket.load(ordering: .relaxed) >> 32 + 1) & 0xFFFF_FFFF
            ticket.store(phase << 32 | UInt64(taskCount), ordering: .sequentiallyConsistent)
            if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeSleepers() }
            takeTasks(as: 0)
            Profile.measure(.idle) {
                var waited = 0
                while unfinished.load(ordering: .acquiring) > 0 {
                    waited += 1
                    if waited < Self.spins { dt_pause() } else { sched_yield() }
                }
            }
            job = nil
        }
    }

    /// Runs `body`, but skips every task that has not begun when a stop is requested, so that `body` returns soon. The
    /// output of a phase with skipped tasks is undefined.
    ///
    /// - Parameters:
    ///   - stop: the request to watch.
    ///   - body: code that runs phases on this pool.
    /// - Returns: whether every task ran.
    public func untilStopped(_ stop: StopRequest, _ body: () throws -> Void) rethrows -> Bool {
        hasSkippedTasks.store(false, ordering: .relaxed)
        self.stop = stop
        defer { self.stop = nil }
        try body()
        return !hasSkippedTasks.load(ordering: .relaxed)
    }

    private func skipsTask() -> Bool {
        guard let stop, stop.isRequested else { return false }
        hasSkippedTasks.store(true, ordering: .relaxed)
        return true
    }

    /// Takes tasks of the current phase until none is left.
    private func takeTasks(as worker: Int) {
        var word = ticket.load(ordering: .acquiring)
        while word & 0xFFFF_FFFF > 0 {
            // If the exchange below succeeds, `job` still belongs to `word`'s phase: the phase cannot end before this
            // task does.
            let taken = ticket.compareExchange(expected: word, desired: word - 1, ordering: .acquiringAndReleasing)
            guard taken.exchanged else {
                word = taken.original
                continue
            }
            perform(remaining: Int(word & 0xFFFF_FFFF), as: worker)
            unfinished.subtract(1, ordering: .releasing)
            word = ticket.load(ordering: .acquiring)
        }
    }

    /// Runs one task. This function is never inlined, because its reference to the job must end before the task counts
    /// as finished: from then on the caller of `run` may free the closure.
    @inline(never)
    private func perform(remaining: Int, as worker: Int) {
        let job = job!
        guard !skipsTask() else { return }
        Profile.measure(.other) { job.body(job.taskCount - remaining, worker) }
    }

    private func work(as worker: Int) {
        _ = dt_flush_denormals()
        var idle = 0
        while !stopping.load(ordering: .relaxed) {
            if ticket.load(ordering: .relaxed) & 0xFFFF_FFFF > 0 {
                takeTasks(as: worker)
                idle = 0
            } else if idle < Self.spins {
                idle += 1
                dt_pause()
            } else {
                sleepUntilWork()
                idle = 0
            }
        }
    }

    private func sleepUntilWork() {
        monitor.locked {
            sleepers.add(1, ordering: .sequentiallyConsistent)
            while ticket.load(ordering: .sequentiallyConsistent) & 0xFFFF_FFFF == 0,
                !stopping.load(ordering: .sequentiallyConsistent)
            {
                monitor.wait()
            }
            sleepers.subtract(1, ordering: .sequentiallyConsistent)
        }
    }

    private func wakeSleepers() { monitor.locked { monitor.wake() } }

    /// Starts a worker. Threads refer to the pool without retaining it: `deinit` joins them before the pool's memory is
    /// freed.
    private func startThread(_ worker: Int) -> SystemThread {
        SystemThread(blocking: .inherited) { [unowned(unsafe) self] in work(as: worker) }
    }
}
