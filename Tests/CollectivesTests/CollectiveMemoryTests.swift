import TestSupport
import Platform
import Testing

@testable import Collectives

@Suite("Memory of collectives")
struct CollectiveMemoryTests {
    private static func communicators(_ transport: RankThreads.Transport) -> [Communicator] {
        switch transport {
        case .inProcess: Communicator.inProcess(worldSize: 2)
        case .sockets: Communicator.overSockets(worldSize: 2)
        }
    }

    @Test(
        "Once a collective has failed, no peer reads or writes its memory",
        arguments: RankThreads.Transport.allCases,
        [0, 1]
    )
    func letsGo(transport: RankThreads.Transport, failing: Int) {
        let communicators = Self.communicators(transport)
        let sent = CollectiveMemory([UInt8](repeating: 7, count: 1000))
        let received = CollectiveMemory(byteCount: 1000)
        let memories = [sent, received]
        communicators[failing].abort()
        for rank in [failing, 1 - failing] {
            #expect(throws: CollectiveError.self) {
                try communicators[rank].broadcast(unsafe: memories[rank].bytes, owner: memories[rank])
            }
        }
        #expect(received.bytes.allSatisfy { $0 == 0 })
    }

    @Test("A sum that nobody waits for keeps its memory until it is done")
    func abandoned() throws {
        let communicators = Self.communicators(.inProcess)
        weak var kept: CollectiveMemory?
        for communicator in communicators {
            let memory = CollectiveMemory([Float](repeating: 1, count: 1000))
            if communicator.rank == 0 { kept = memory }
            // The other rank begins later, so this sum cannot be done yet.
            if communicator.rank == 1 { #expect(kept != nil) }
            communicator.startAllReduce(unsafe: memory.floats, range: 0..<1000, owner: memory)
        }
        for communicator in communicators { try communicator.wait() }
        #expect(kept == nil)
    }

    @Test("After a failure memory is freed only if the transport has let go of it", arguments: [true, false])
    func failure(letsGo: Bool) {
        let transport = StuckTransport(letsGo: letsGo)
        let communicator = Communicator.ofOneProcess([transport, StuckTransport(letsGo: true)])[0]
        weak var kept: CollectiveMemory?
        do {
            let memory = CollectiveMemory(byteCount: 4000)
            kept = memory
            communicator.startAllReduce(unsafe: memory.floats, range: 0..<1000, owner: memory)
        }
        #expect(kept != nil)
        transport.abort()
        #expect(throws: CollectiveError.self) { try communicator.wait() }
        #expect((kept == nil) == letsGo)
    }
}

/// Takes every message and finishes none.
private final class StuckTransport: RingTransport, @unchecked Sendable {
    private let letsGo: Bool
    private let monitor = Monitor()
    private var isAborted = false

    init(letsGo: Bool) { self.letsGo = letsGo }

    func send(_ bytes: UnsafeRawBufferPointer, _ label: MessageLabel) {}
    func receive(into bytes: UnsafeMutableRawBufferPointer, _ label: MessageLabel) {}

    func advance() throws -> (sent: Int, received: Int) {
        monitor.locked {
            while !isAborted { monitor.wait() }
        }
        throw TransportError.aborted
    }

    func withdraw() -> Bool { letsGo }

    func abort() {
        monitor.locked {
            isAborted = true
            monitor.wake()
        }
    }

    func close() {}
}
