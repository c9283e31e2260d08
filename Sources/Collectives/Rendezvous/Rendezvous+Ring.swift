import Platform

extension Rendezvous {
    /// A socket on which the previous rank of the ring is awaited.
    struct RingListener {
        let socket: Socket
        /// What to say of its address in the hello.
        let address: String
        var port: UInt16 { socket.localAddress?.port ?? 0 }
    }

    /// - Parameter control: this side's address of a control connection: the network to use, unless an interface was named.
    /// - Throws: `CollectiveError.usage`.
    func listenForRing(by control: SocketAddress?) throws -> RingListener {
        let named = interface.isEmpty ? nil : try LocalNames.addresses(of: interface).first
        let host = named ?? control?.host ?? "127.0.0.1"
        guard named == nil, !secret.isPublic, SocketAddress(numeric: host, port: 0)?.isLoopback == true else {
            guard let socket = try listenOnFreePort(host) else {
                throw CollectiveError.usage("\(host) is no address of this machine: choose another --interface")
            }
            return RingListener(socket: socket, address: host)
        }
        // A rank that reached rank 0 over loopback is on its machine, but the one before it may be on another: it then comes by
        // the way on which it reached rank 0, whichever that is.
        for everywhere in ["::", "0.0.0.0"] {
            if let socket = try listenOnFreePort(everywhere) { return RingListener(socket: socket, address: "") }
        }
        throw CollectiveError.usage("rank \(place.rank) cannot listen: the system has neither IPv4 nor IPv6")
    }

    /// Connects to the next rank while the previous one is accepted.
    ///
    /// - Throws: `CollectiveError` that names the link.
    func joinRing(
        _ listener: RingListener,
        next address: SocketAddress?,
        _ members: [Member],
        _ meeting: String
    ) throws -> (next: Int32, previous: Int32) {
        // Anew: this rank may have waited for the others for as long as it may.
        let deadline = ContinuousClock.now + timeout
        let count = place.worldSize
        let (next, previous) = ((place.rank + 1) % count, (place.rank + count - 1) % count)
        guard let address else {
            throw CollectiveError.failed(Failure(culprit: "\(members[next])", reason: "said no address"))
        }
        let acceptor = Acceptor(
            [listener.socket],
            handshake: handshake,
            expected: greeting(.ring, to: place.rank, meeting: meeting),
            readsHello: false
        )
        let notice = WaitingNotice(
            "connecting to \(members[next]) at \(address), and waiting for \(members[previous]) on port \(listener.port)",
            after: quietWait,
            note: note
        )
        defer { notice.end() }
        let hand = Hand(acceptor)
        let thread = SystemThread { _ = hand.acceptor.accept([previous], by: deadline) }
        let result = Result { try reachNext(next, address, meeting, by: deadline) }
        if case .failure = result { acceptor.cancel() }
        thread.join()
        listener.socket.end()
        report(acceptor)
        func link(_ from: Int, _ to: Int) -> String { "the link from \(members[from]) to \(members[to])" }
        let socket: Socket
        do { socket = try result.get() } catch {
            let reason =
                (error as? Handshake.Refusal).map { "turned away: it \($0.verdict.reason)" }
                ?? "\(error); is there a firewall (see --port_range), or the wrong --interface?"
            throw CollectiveError.failed(Failure(culprit: link(place.rank, next), reason: reason))
        }
        guard let arrival = acceptor.arrivals[previous] else {
            throw CollectiveError.failed(
                Failure(
                    culprit: link(previous, place.rank),
                    reason:
                        "no connection to port \(listener.port) within \(timeout.inSeconds); is there a firewall (see "
                        + "--port_range), or the wrong --interface?"
                )
            )
        }
        return (socket.release(), arrival.socket.release())
    }

    /// Who listens was listening before its address was known, so a refused connection is the end; one that was dropped among
    /// many strangers is not.
    private func reachNext(
        _ next: Int,
        _ address: SocketAddress,
        _ meeting: String,
        by deadline: ContinuousClock.Instant
    ) throws -> Socket {
        while true {
            do {
                let socket = try Socket.connected(to: address, by: deadline)
                try handshake.connect(socket, as: greeting(.ring, to: next, meeting: meeting), by: deadline)
                return socket
            } catch let error as SocketError {
                guard error.code != ECONNREFUSED, .now < deadline else { throw error }
                usleep(20_000)
            }
        }
    }

    /// Carries the acceptor to its thread and back; `join` orders the two.
    private final class Hand: @unchecked Sendable {
        let acceptor: Acceptor
        init(_ acceptor: Acceptor) { self.acceptor = acceptor }
    }
}
