/// Threads that carry out the tasks of one phase together.
public final class WorkerPool: @unchecked Sendable {
    public let threadCount: Int
    public init(threadCount: Int) { self.threadCount = threadCount }

    /// Runs `body(task, worker)` for every task in `0..<taskCount` and returns when all are done.
    public func run(_ taskCount: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
        for task in 0..<taskCount { body(task, 0) }
    }
}
