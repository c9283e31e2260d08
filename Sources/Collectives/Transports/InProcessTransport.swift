import Platform

/// Ranks that are threads of one process, for tests: a message is copied from the sender's memory into the receiver's.
///
/// Either rank's thread makes the copy, with the ring's lock held. `withdraw` takes this rank's messages out of the ring with
/// the lock held, so no peer touches their bytes afterwards.
final class InProcessTransport: RingTransport {
    private let ring: Ring
    private let rank: Int
    private var reported = (sent: 0, received: 0)

    private init(ring: Ring, rank: Int) {
        self.ring = ring
        self.rank = rank
    }

    /// The transports of all ranks of a job.
    static func ring(worldSize: Int) -> [InProcessTransport] {
        let ring = Ring(worldSize: worldSize)
        return (0..<worldSize).map { InProcessTransport(ring: ring, rank: $0) }
    }

    func send(_ bytes: UnsafeRawBufferPointer, _ label: MessageLabel) throws {
        try ring.monitor.locked {
            ring.edges[rank].offered.append(Ring.Offer(bytes: bytes, label: label))
            try ring.match(rank)
        }
    }

    func receive(into bytes: UnsafeMutableRawBufferPointer, _ label: MessageLabel) throws {
        let edge = ring.edge(into: rank)
        try ring.monitor.locked {
            ring.edges[edge].wanted.append(Ring.Request(bytes: bytes, label: label))
            try ring.match(edge)
        }
    }

    func advance() throws -> (sent: Int, received: Int) {
        try ring.monitor.locked {
            while true {
                guard !ring.isAborted else { throw TransportError.aborted }
                let sent = ring.edges[rank].done - reported.sent
                let received = ring.edges[ring.edge(into: rank)].done - reported.received
                reported.sent += sent
                reported.received += received
                if sent + received > 0 { return (sent, received) }
                ring.monitor.wait()
            }
        }
    }

    func withdraw() -> Bool {
        ring.monitor.locked {
            ring.edges[rank].offered.removeAll()
            ring.edges[ring.edge(into: rank)].wanted.removeAll()
        }
        return true
    }

    func abort() {
        ring.monitor.locked {
            ring.isAborted = true
            ring.monitor.wake()
        }
    }

    func close() {}

    /// What the ranks share; the monitor guards everything that changes.
    private final class Ring: @unchecked Sendable {
        struct Offer {
            let bytes: UnsafeRawBufferPointer
            let label: MessageLabel
        }

        struct Request {
            let bytes: UnsafeMutableRawBufferPointer
            let label: MessageLabel
        }

        /// From a rank to the next.
        struct Edge {
            var offered: [Offer] = []
            var wanted: [Request] = []
            var done = 0
        }

        let worldSize: Int
        let monitor = Monitor()
        var edges: [Edge]
        var isAborted = false

        init(worldSize: Int) {
            self.worldSize = worldSize
            edges = [Edge](repeating: Edge(), count: worldSize)
        }

        func edge(into rank: Int) -> Int { (rank + worldSize - 1) % worldSize }

        /// Copies what is both offered and wanted.
        func match(_ edge: Int) throws {
            while let offer = edges[edge].offered.first, let request = edges[edge].wanted.first {
                guard offer.label == request.label, offer.bytes.count == request.bytes.count else {
                    throw TransportError.corrupt(
                        peer: edge,
                        reason: "\(offer.label) of \(offer.bytes.count) bytes where \(request.label) of "
                            + "\(request.bytes.count) was due"
                    )
                }
                request.bytes.copyMemory(from: offer.bytes)
                edges[edge].offered.removeFirst()
                edges[edge].wanted.removeFirst()
                edges[edge].done += 1
                monitor.wake()
            }
        }
    }
}
