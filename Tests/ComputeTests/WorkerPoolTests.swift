import Platform
import Synchronization
import Testing

@testable import Compute

@Suite("Worker pool")
struct WorkerPoolTests {
    @Test("every task runs exactly once, with a worker index below the thread count", arguments: [1, 2, 3, 8])
    func everyTaskOnce(threads: Int) {
        let pool = WorkerPool(threadCount: threads)
        for taskCount in [0, 1, 2, 7, 100] {
            for _ in 0..<50 {
                var counts = [Int](repeating: 0, count: taskCount)
                let invalidWorkers = Atomic<Int>(0)
                counts.withUnsafeMutableBufferPointer { counts in
                    pool.run(taskCount) { task, worker in
                        counts[task] += 1
                        if worker >= threads { invalidWorkers.add(1, ordering: .relaxed) }
                    }
                }
                #expect(counts.allSatisfy { $0 == 1 })
                #expect(invalidWorkers.load(ordering: .relaxed) == 0)
            }
        }
    }

    @Test("a phase sees everything that the previous phase wrote")
    func phasesAreOrdered() {
        let pool = WorkerPool(threadCount: 3)
        // Each phase reads one half, which other workers wrote in the previous phase, and writes the other half.
        var values = [Int](repeating: 0, count: 2 * 64)
        values.withUnsafeMutableBufferPointer { values in
            for phase in 1...2000 {
                let (read, written) = ((phase - 1) % 2 * 64, phase % 2 * 64)
                pool.run(64) { task, _ in
                    precondition(values[read + 63 - task] == phase - 1)
                    values[written + task] = phase
                }
            }
        }
        #expect(values.prefix(64).allSatisfy { $0 == 2000 })
    }

    @Test("once a stop is requested, tasks are skipped in this phase and the next", arguments: [1, 3])
    func untilStopped(threads: Int) {
        let pool = WorkerPool(threadCount: threads)
        let done = Atomic<Int>(0)
        let stop = StopRequest()
        let isComplete = pool.untilStopped(stop) {
            pool.run(100) { _, _ in
                stop.request()
                done.add(1, ordering: .relaxed)
            }
            // Each worker may have been inside a task when the stop was requested.
            #expect((1...threads).contains(done.load(ordering: .relaxed)))
            pool.run(100) { _, _ in Issue.record("a task ran in a phase after the stop") }
        }
        #expect(!isComplete)
        // After untilStopped returns, tasks run again in spite of the request. Without a request all tasks run.
        done.store(0, ordering: .relaxed)
        pool.run(100) { _, _ in done.add(1, ordering: .relaxed) }
        #expect(done.load(ordering: .relaxed) == 100)
        #expect(pool.untilStopped(StopRequest()) { pool.run(100) { _, _ in done.add(1, ordering: .relaxed) } })
        #expect(done.load(ordering: .relaxed) == 200)
    }

    @Test("sleeping workers wake up for the next phase, and a pool with sleeping workers can be freed")
    func sleepAndEnd() {
        for _ in 0..<20 {
            let pool = WorkerPool(threadCount: 4)
            let sum = Atomic<Int>(0)
            pool.run(10) { task, _ in sum.add(task, ordering: .relaxed) }
            for _ in 0..<20_000 { _ = pool.threadCount }
            pool.run(10) { task, _ in sum.add(task, ordering: .relaxed) }
            #expect(sum.load(ordering: .relaxed) == 90)
        }
    }
}

@Suite("Matrix products and vector operations")
struct OperationTests {
    @Test("products of column views are right in all four orientations, with scale and keep")
    func products() {
        let (m, k, n) = (5, 7, 3)
        let memory = FloatBuffer(count: 400)
        for index in 0..<400 { memory.base[index] = Float((index * 37) % 11) - 5 }
        func fill(_ rows: Int, _ columns: Int, _ offset: Int) -> MatrixView {
            MatrixView(memory.base + offset, rows: rows, columns: columns + 2).columns(1..<columns + 1)
        }
        for transposedA in [false, true] {
            for transposedB in [false, true] {
                let a = transposedA ? fill(k, m, 0) : fill(m, k, 0)
                let b = transposedB ? fill(n, k, 100) : fill(k, n, 100)
                let out = FloatBuffer(count: m * n)
                for index in 0..<m * n { out.base[index] = 1 }
                let c = out.matrix(rows: m, columns: n)
                MatrixProducts.standard.multiply(
                    a,
                    transposedA ? .transposed : .plain,
                    b,
                    transposedB ? .transposed : .plain,
                    into: c,
                    scale: 0.5,
                    keep: 2
                )
                for i in 0..<m {
                    for j in 0..<n {
                        let exact = (0..<k).reduce(Float(0)) {
                            $0 + (transposedA ? a[$1, i] : a[i, $1]) * (transposedB ? b[j, $1] : b[$1, j])
                        }
                        #expect(c[i, j] == 0.5 * exact + 2)
                    }
                }
            }
        }
    }

    @Test("the sum of squares does not depend on the number of workers", arguments: [2, 3, 5])
    func sumOfSquares(threads: Int) {
        let count = 300_001
        let buffer = FloatBuffer(count: count)
        let random = CounterRandom(seed: 3, stream: .test)
        for index in 0..<count { buffer.base[index] = Float(random.uniform(UInt32(index))) }
        let alone = VectorOperations.sumOfSquares(
            UnsafeBufferPointer(buffer.elements),
            context: ComputeContext(pool: WorkerPool(threadCount: 1))
        )
        let together = VectorOperations.sumOfSquares(
            UnsafeBufferPointer(buffer.elements),
            context: ComputeContext(pool: WorkerPool(threadCount: threads))
        )
        #expect(alone == together)
        #expect(abs(alone / Double(count) - 1.0 / 3) < 0.01)
    }
}
