import CMPIShim
import Foundation
import Platform
import Testing

@testable import Collectives
@testable import TestSupport

@Suite("MPI")
struct MPITests {
    @Test("The version is the first words of what libraries say of themselves")
    func version() {
        for (text, short) in [
            (
                "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, repo rev: v4.1.4, May 26, 2022",
                "Open MPI v4.1.4"
            ),
            ("MPICH Version:      4.0.2\nMPICH Release date: Thu Apr  7 12:34:45 CDT 2022", "MPICH 4.0.2"),
            ("Intel(R) MPI Library 2021.9 for Linux* OS\n", "Intel(R) MPI Library 2021.9 for Linux* OS"),
            ("", ""),
        ] {
            #expect(MPILibrary.shortVersion(text) == short)
        }
        #expect((MPILibrary.version != nil) == MPILibrary.isBuiltIn)
    }

    @Test(
        "A launcher of another MPI is explained, with the mend for each",
        arguments: [
            (
                JobPlace.Launcher.openMPI, "the launcher (/opt/mpi/bin/mpirun) started 4 ranks",
                "mpirun of Open MPI v4.1.4"
            ),
            (.pmi, "the launcher (/opt/mpi/bin/mpirun) started 4 ranks", "PKG_CONFIG_PATH"),
            (.slurm, "srun started 4 ranks", "srun --mpi=pmix"),
            (.variables, "RANK and WORLD_SIZE says 4 ranks", "mpirun -np 4"),
            (.hostfile, "--hostfile says 4 ranks", "mpirun -np 4"),
        ]
    )
    func launcher(launcher: JobPlace.Launcher, beginning: String, mend: String) {
        let place = JobPlace(
            launcher: launcher,
            rank: 1,
            worldSize: 4,
            localWorldSize: 4,
            masterAddress: nil,
            masterPort: 29500,
            jobID: ""
        )
        let text = MPIWorld.difference(
            place,
            worldSize: 1,
            library: "Open MPI v4.1.4",
            environment: ["_": "/opt/mpi/bin/mpirun"]
        )
        #expect(text.hasPrefix(beginning), "\(text)")
        #expect(
            text.contains("1 rank to the linked MPI (Open MPI v4.1.4)") && text.contains("--backend=tcp"),
            "\(text)"
        )
        #expect(text.contains(mend) && !text.contains("\n"), "\(text)")
        // A shell's other commands are no launchers.
        let unnamed = MPIWorld.difference(place, worldSize: 1, library: "", environment: ["_": "/usr/bin/env"])
        #expect(!unnamed.contains("/usr/bin/env"))
    }

    @Test("Without MPI the error says how to come to it", .enabled(if: !MPILibrary.isBuiltIn))
    func absent() {
        #expect(throws: CollectiveError.self) { try MPIWorld.start() }
        #expect(MPILibrary.errorText(-1) == "built without MPI")
    }

    /// MPI starts once in a process, so this is one test: a world of one rank, which is its own neighbour both ways.
    @Test(
        "A ring of one rank carries messages, finds what is out of step, stops and ends",
        .enabled(if: MPILibrary.isBuiltIn)
    )
    func alone() throws {
        // Without a daemon of Open MPI's beside the process.
        setenv("OMPI_MCA_ess_singleton_isolated", "1", 1)
        let outcome = Outcome()
        SystemThread { outcome.set(Result { try Self.useWorldOfOne() }) }.join()
        try outcome.get()
    }

    private static func useWorldOfOne() throws {
        let world = try MPIWorld.start()
        #expect(world.rank == 0 && world.worldSize == 1)
        #expect(
            throws: CollectiveError.failed(
                Failure(culprit: "MPI", reason: "starting MPI: MPI was started before in this process")
            )
        ) {
            try MPIWorld.start()
        }
        #expect(try world.broadcast([3, 1, 4], timeout: .seconds(30)) == [3, 1, 4])
        #expect(try world.broadcast([], timeout: .seconds(30)).isEmpty)

        let transport = MPITransport(world)
        let size = 1 << 20
        var (out, into) = ([UInt8](repeating: 0, count: size), [UInt8](repeating: 0, count: size))
        for index in 0..<size { out[index] = UInt8(truncatingIfNeeded: (index &* 7) >> 3) }
        try out.withUnsafeBytes { out in
            try into.withUnsafeMutableBytes { into in
                // From 4 bytes to more than any library sends without asking first; all under way at once.
                var start = 0
                let lengths = [4, 1000, 4096, 65_537, 700_000]
                for (index, length) in lengths.enumerated() {
                    let label = MessageLabel(step: 5, operation: 1, index: UInt32(index))
                    let part = start..<start + length
                    try transport.receive(into: UnsafeMutableRawBufferPointer(rebasing: into[part]), label)
                    try transport.send(UnsafeRawBufferPointer(rebasing: out[part]), label)
                    start += length
                }
                try finish(transport, sends: lengths.count, receives: lengths.count)
                #expect(into[..<start].elementsEqual(out[..<start]))

                let due = MessageLabel(step: 5, operation: 2, index: 0)
                var other = due
                other.operation = 3
                for (length, label, words) in [
                    (3999, due, "out of step: it sent 3999 bytes"), (4001, due, "out of step: it sent 4001 bytes"),
                    (4000, other, "out of step: it sent 4000 bytes"),
                ] {
                    // A new transport forgets the message that was not done.
                    let transport = MPITransport(world)
                    try transport.receive(into: UnsafeMutableRawBufferPointer(rebasing: into[..<4000]), due)
                    try transport.send(UnsafeRawBufferPointer(rebasing: out[..<length]), label)
                    let error = #expect(throws: TransportError.self) {
                        try finish(transport, sends: 1, receives: 1)
                    }
                    guard case .corrupt(peer: 0, let reason)? = error else {
                        Issue.record("\(String(describing: error))")
                        continue
                    }
                    #expect(
                        reason.hasPrefix(words)
                            && reason.hasSuffix("where 4000 bytes of message 0 of operation 2, iteration 5, were due")
                    )
                }

                // The header speaks of other bytes than those that come.
                let damaged = MPITransport(world)
                try damaged.receive(into: UnsafeMutableRawBufferPointer(rebasing: into[..<4000]), due)
                let bytes = UnsafeRawBufferPointer(rebasing: out[..<4000])
                var header = FrameHeader(due, UnsafeRawBufferPointer(rebasing: out[1..<4001]))
                var requests = (dt_mpi_request(), dt_mpi_request())
                header.withMutableBytes { header in
                    #expect(world.send(UnsafeRawBufferPointer(header), to: 0, &requests.0) == 0)
                    #expect(world.send(bytes, to: 0, &requests.1) == 0)
                    let error = #expect(throws: TransportError.self) { try finish(damaged, sends: 0, receives: 1) }
                    let reason = "wrong checksum (CRC32C) in message 0 of operation 2, iteration 5"
                    #expect(error == .corrupt(peer: 0, reason: reason))
                }
            }
        }
        var floats: [Float] = [1.5, -2]
        try floats.withUnsafeMutableBufferPointer { try transport.sum($0) }
        #expect(floats == [1.5, -2])

        try withdrawWhatMPICannotCancel(world)

        // Of another thread, while this one waits for a message that nobody sends.
        let waiting = MPITransport(world)
        var byte: UInt8 = 0
        try withUnsafeMutableBytes(of: &byte) { byte in
            try waiting.receive(into: byte, MessageLabel(step: 6, operation: 1, index: 0))
            let stop = Stop(world)
            let other = SystemThread { stop.world.abort() }
            #expect(throws: TransportError.aborted) { _ = try waiting.advance() }
            other.join()
            // MPI must not be ended with a message open.
            #expect(waiting.withdraw())
            try world.finish()
        }
    }

    /// A send too long to go unasked keeps its bytes until somebody receives them.
    private static func withdrawWhatMPICannotCancel(_ world: MPIWorld) throws {
        let label = MessageLabel(step: 5, operation: 4, index: 0)
        let sent = CollectiveMemory([UInt8](repeating: 9, count: 1 << 20))
        let received = CollectiveMemory(byteCount: 1 << 20)
        let failed = MPITransport(world)
        try failed.send(UnsafeRawBufferPointer(sent.bytes), label)
        #expect(!failed.withdraw())
        let receiving = MPITransport(world)
        try receiving.receive(into: received.bytes, label)
        try finish(receiving, sends: 0, receives: 1)
        #expect(received.bytes.elementsEqual(sent.bytes))
        #expect(receiving.withdraw())
    }

    private static func finish(_ transport: MPITransport, sends: Int, receives: Int) throws {
        var done = (0, 0)
        while done != (sends, receives) {
            let (sent, received) = try transport.advance()
            done = (done.0 + sent, done.1 + received)
        }
    }

    private struct Stop: @unchecked Sendable {
        let world: MPIWorld

        init(_ world: MPIWorld) { self.world = world }
    }

    private final class Outcome: @unchecked Sendable {
        private let lock = NSLock()
        private var result: Result<Void, any Error>?

        func set(_ result: Result<Void, any Error>) { lock.withLock { self.result = result } }
        func get() throws { try lock.withLock { try result!.get() } }
    }
}
