import CVectorKernels
import Foundation
import Testing

@testable import Compute

@Suite("Profile: time by part")
struct ProfileTests {
    /// Runs every kind of work: a kernel, a measured part with another part inside, and work without a part.
    private func work(_ pool: WorkerPool, tasks: Int = 40) {
        pool.run(tasks) { task, _ in
            let values = FloatBuffer(count: 4096)
            for index in 0..<4096 { values.base[index] = Float(index + task) }
            Kernels.standard.table.gelu_forward(values.base, values.base, 4096)
            Profile.measure(.packing) {
                Kernels.standard.table.relu_forward(values.base, values.base, 4096)
                Profile.measure(.clipping) { _ = Kernels.standard.table.sum_squares(values.base, 4096) }
            }
        }
    }

    @Test("all parts add up to wall time times workers, and the caller's parts to wall time", arguments: [1, 2, 3])
    func sums(threads: Int) {
        let pool = WorkerPool(threadCount: threads)
        let profile = Profile(pool: pool)
        for _ in 0..<3 { profile.record { work(pool) } }
        #expect(profile.recordings.count == 3)
        let seconds = profile.seconds
        let wall = profile.wallSeconds
        #expect(abs(seconds.values.reduce(0, +) - wall * Double(threads)) < 1e-9 * wall * Double(threads) + 1e-12)
        for (part, value) in seconds { #expect(value >= 0, "\(part): \(value)") }
        for part in [Part.activation, .packing, .clipping, .other] { #expect(seconds[part]! > 0, "\(part)") }
        // The caller is always busy or waiting, so its parts add up to wall time exactly: they are sums of integer
        // nanoseconds.
        let caller = profile.seconds(ofWorker: 0).values.reduce(0, +)
        #expect(abs(caller - wall) < 1e-9 * wall + 1e-12, "\(caller) of \(wall)")
        for worker in 0..<threads {
            let busy = profile.seconds(ofWorker: worker).values.reduce(0, +)
            #expect(busy <= wall * (1 + 1e-9), "worker \(worker): \(busy) of \(wall)")
        }
    }

    @Test("two spans of one worker are either disjoint or nested")
    func nesting() {
        let pool = WorkerPool(threadCount: 2)
        let profile = Profile(pool: pool, eventsPerWorker: 1000)
        profile.record { work(pool) }
        #expect(profile.droppedEvents == 0)
        var count = 0
        for worker in 0..<2 {
            let events = profile.events(ofWorker: worker)
            count += events.filter { $0.part != .idle }.count
            for (index, event) in events.enumerated() {
                #expect(event.start <= event.end)
                #expect(event.start >= profile.recordings[0].start && event.end <= profile.recordings[0].end)
                for later in events[(index + 1)...] {
                    #expect(later.start >= event.end || later.start <= event.start && event.end <= later.end)
                }
            }
        }
        // Per task: the task, gelu, packing, relu inside it, the clipping span, and the sum of squares inside that
        // span.
        #expect(count == 40 * 6)
    }

    @Test("events beyond the limit are counted but not kept")
    func bounded() {
        let pool = WorkerPool(threadCount: 1)
        let profile = Profile(pool: pool, eventsPerWorker: 7)
        profile.record { work(pool, tasks: 2) }
        #expect(profile.events(ofWorker: 0).count == 7)
        #expect(profile.droppedEvents == 2 * 6 - 7)
    }

    @Test("work outside a recording or of another pool is not recorded")
    func apart() {
        let pool = WorkerPool(threadCount: 2)
        let other = WorkerPool(threadCount: 2)
        let profile = Profile(pool: pool)
        work(pool)
        profile.record {
            // The caller of the other pool is one of its workers, so it needs a separate thread.
            let done = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                work(other)
                done.signal()
            }
            pool.run(1) { _, _ in }
            done.wait()
        }
        work(pool)
        #expect(profile.seconds[.activation] == 0)
        #expect(profile.seconds[.packing] == 0)
    }

    @Test("a recording ends when its closure throws")
    func failure() {
        struct Failure: Error {}
        let pool = WorkerPool(threadCount: 2)
        let profile = Profile(pool: pool)
        #expect(throws: Failure.self) { try profile.record { throw Failure() } }
        #expect(profile.recordings.count == 1)
        profile.record { work(pool) }
        #expect(profile.seconds[.activation]! > 0)
    }

    @Test("the raw values of Part equal those of dt_part")
    func numbers() {
        #expect(Part.allCases.map(\.rawValue) == Array(0..<Int32(DT_PART_COUNT.rawValue)))
        let some: [(Part, dt_part)] = [
            (.linearForward, DT_PART_LINEAR_FORWARD), (.headProducts, DT_PART_HEAD_PRODUCTS),
            (.attention, DT_PART_ATTENTION), (.activation, DT_PART_ACTIVATION), (.layerNorm, DT_PART_LAYER_NORM),
            (.loss, DT_PART_LOSS), (.dropout, DT_PART_DROPOUT), (.residual, DT_PART_RESIDUAL), (.bias, DT_PART_BIAS),
            (.embedding, DT_PART_EMBEDDING), (.optimizer, DT_PART_OPTIMIZER), (.clipping, DT_PART_CLIPPING),
            (.idle, DT_PART_IDLE), (.other, DT_PART_OTHER),
        ]
        for (part, number) in some { #expect(UInt32(part.rawValue) == number.rawValue, "\(part)") }
        #expect(Part.linearWeightGradient.name == "linear_weight_gradient")
        #expect(Part.gradientZeroing.name == "gradient_zeroing")
    }
}
