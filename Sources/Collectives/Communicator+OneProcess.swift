import Platform

/// Jobs whose ranks are threads of one process, for tests.
extension Communicator {
    /// One for each rank, over shared memory; each is to be used by a thread of its own.
    package static func inProcess(worldSize: Int) -> [Communicator] {
        ofOneProcess(InProcessTransport.ring(worldSize: worldSize))
    }

    /// The same over pairs of connected sockets, by the transport that TCP has.
    package static func overSockets(worldSize: Int) -> [Communicator] {
        let pairs = (0..<worldSize).map { _ in socketPair() }
        return ofOneProcess(
            (0..<worldSize).map { rank in
                let previous = (rank + worldSize - 1) % worldSize
                return TCPTransport(next: pairs[rank].0, previous: pairs[previous].1, rank: rank, worldSize: worldSize)
            }
        )
    }

    static func ofOneProcess(_ ring: [any RingTransport]) -> [Communicator] {
        let members = ring.indices.map { Member(rank: $0, host: "host\($0)") }
        return ring.indices.map { rank in
            let transport = Handed(ring[rank])
            let communicator = Communicator(rank: rank, members: members) { transport.transport }
            communicator.abort = ring[rank].abort
            return communicator
        }
    }

    static func socketPair() -> (Int32, Int32) {
        var pair: [Int32] = [0, 0]
        let made = socketpair(AF_UNIX, SystemSocket.stream, 0, &pair)
        precondition(made == 0, "socketpair failed: \(errorText(errno))")
        return (pair[0], pair[1])
    }

    /// Carries a transport to the communication thread, which alone uses it then.
    private struct Handed: @unchecked Sendable {
        let transport: any RingTransport
        init(_ transport: any RingTransport) { self.transport = transport }
    }
}
