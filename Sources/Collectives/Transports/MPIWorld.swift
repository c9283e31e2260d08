import CMPIShim
import Platform
import Synchronization

/// The ranks that an MPI launcher started, and what they need of MPI before there is a ring.
///
/// ```swift
/// let world = try MPIWorld.start()
/// try world.check(place, environment: environment)
/// let secret = try world.broadcast(Array(JobSecret.randomText().utf8), timeout: timeout)
/// let transport = MPITransport(world)
/// ```
/// One thread starts it, makes every call and ends it (MPI_THREAD_FUNNELED binds to the thread that initialized). That
/// thread never waits inside MPI, but between tests: MPI spins while it waits, which takes a core from the threads that
/// compute, and a thread inside it cannot be told to stop. `nativeSum` alone does.
final class MPIWorld {
    private var world: dt_mpi_world
    private let thread = pthread_self()
    private let aborted = Atomic<Bool>(false)

    var rank: Int { Int(world.rank) }
    var worldSize: Int { Int(world.size) }

    /// Starts MPI, once in a process. Without a launcher it is a world of one rank.
    ///
    /// - Throws: `CollectiveError.usage` where MPI is not built in; `CollectiveError.failed` with MPI's words.
    static func start() throws -> MPIWorld {
        // Over TCP, Open MPI asks before it sends more than 64 KiB, and the answer queues behind what goes the other way. With
        // the ring's messages sent unasked, 42 MB between two ranks at 1 Gb/s take 351 ms instead of 450 to 615
        // (`bench-comm` between the namespaces of cluster/netns). What the user has set stays.
        let largest = Stripes.length * MemoryLayout<Float>.stride + 4096
        if MPILibrary.isBuiltIn { setenv("OMPI_MCA_btl_tcp_eager_limit", "\(largest)", 0) }
        var world = dt_mpi_world()
        let status = dt_mpi_start(&world)
        guard status != DT_MPI_NOT_BUILT_IN else {
            throw CollectiveError.usage(
                "this ddp-train was built without MPI: \(MPILibrary.installation); or use --backend=tcp"
            )
        }
        try check(status, "starting MPI")
        return MPIWorld(world)
    }

    private init(_ world: dt_mpi_world) { self.world = world }

    /// Ends MPI when all ranks have come here.
    ///
    /// - Throws: `CollectiveError.failed`; `TransportError.aborted`.
    func finish() throws {
        // MPI_Finalize waits inside MPI: so it begins when nobody is left to wait for.
        try wait("the end of the job") { dt_mpi_barrier(&world, $0) }
        try Self.check(dt_mpi_finish(&world), "ending MPI")
    }

    /// Makes what waits throw from now on. Of any thread.
    func abort() { aborted.store(true, ordering: .relaxed) }

    var isAborted: Bool { aborted.load(ordering: .relaxed) }

    // MARK: Before the ring

    /// Rank 0's bytes, of any length, for every rank; those of others are not looked at.
    ///
    /// - Throws: `CollectiveError.failed` when ranks are missing after `timeout`; `TransportError.aborted`.
    func broadcast(_ bytes: [UInt8], timeout: Duration) throws -> [UInt8] {
        let length = CollectiveMemory([UInt64(bytes.count)])
        try broadcast(length, count: MemoryLayout<UInt64>.size, timeout: timeout)
        let count = Int(length.values(of: UInt64.self, count: 1)[0])
        guard count > 0 else { return [] }
        let all = rank == 0 ? CollectiveMemory(bytes) : CollectiveMemory(byteCount: count)
        try broadcast(all, count: count, timeout: timeout)
        return all.values(count: count)
    }

    private func broadcast(_ memory: CollectiveMemory, count: Int, timeout: Duration) throws {
        do {
            try wait("a broadcast", timeout) {
                dt_mpi_broadcast(&world, memory.bytes.baseAddress, Int32(count), $0)
            }
        } catch {
            // MPI cannot cancel a broadcast, so it may use the memory for as long as the process lives.
            _ = Unmanaged.passRetained(memory)
            throw error
        }
    }

    // MARK: For the ring

    /// - Returns: a status of MPI.
    func send(_ bytes: UnsafeRawBufferPointer, to peer: Int, _ request: inout dt_mpi_request) -> Int32 {
        onThread()
        return dt_mpi_send(&world, bytes.baseAddress, Int32(bytes.count), Int32(peer), &request)
    }

    /// - Returns: a status of MPI.
    func receive(
        into bytes: UnsafeMutableRawBufferPointer,
        from peer: Int,
        _ request: inout dt_mpi_request
    ) -> Int32 {
        onThread()
        return dt_mpi_receive(&world, bytes.baseAddress, Int32(bytes.count), Int32(peer), &request)
    }

    /// Sums by MPI_Allreduce, in place. Waits inside MPI, where nothing but the end of the process stops it.
    ///
    /// - Throws: `CollectiveError.failed`.
    func nativeSum(_ floats: UnsafeMutableBufferPointer<Float>) throws {
        onThread()
        // MPI counts in C's int.
        for start in stride(from: 0, to: floats.count, by: 1 << 30) {
            let count = min(1 << 30, floats.count - start)
            try Self.check(dt_mpi_sum(&world, floats.baseAddress! + start, Int32(count)), "MPI_Allreduce")
        }
    }

    // MARK: Waiting

    /// Begins something and waits until it is done.
    private func wait(
        _ what: String,
        _ timeout: Duration? = nil,
        begin: (UnsafeMutablePointer<dt_mpi_request>) -> Int32
    ) throws {
        onThread()
        var request = dt_mpi_request()
        try Self.check(begin(&request), what)
        let end = timeout.map { ContinuousClock.now + $0 }
        var state = dt_mpi_state()
        var round: Int32 = 0
        while true {
            try Self.check(dt_mpi_test(&request, &state), what)
            if state.is_done { return }
            guard !isAborted else { throw TransportError.aborted }
            if let end, let timeout, ContinuousClock.now > end {
                throw CollectiveError.failed(
                    Failure(culprit: "MPI", reason: "not all ranks came to \(what) within \(timeout.inSeconds)")
                )
            }
            dt_mpi_back_off(round)
            round &+= 1
        }
    }

    private func onThread() {
        precondition(pthread_equal(pthread_self(), thread) != 0, "MPI is used by another thread than started it")
    }

    private static func check(_ status: Int32, _ what: String) throws {
        guard status != 0 else { return }
        throw CollectiveError.failed(Failure(culprit: "MPI", reason: "\(what): \(MPILibrary.errorText(status))"))
    }
}
