import Platform

/// Rank 0's part.
extension Rendezvous {
    func meetAsMain(_ listeners: [Socket]) throws -> Meeting {
        let acceptor = Acceptor(
            listeners,
            handshake: handshake,
            expected: greeting(.control, to: place.rank),
            readsHello: true,
            objection: { _, hello in objection(hello) },
            note: note
        )
        let port = listeners.first?.localAddress?.port ?? place.masterPort
        let missing = waitForAll(acceptor, at: "\(place.masterAddress ?? "rank 0") port \(port)")
        // No port is open any more, and who comes too late is told so by the system.
        for listener in listeners { listener.end() }
        report(acceptor)
        let others = acceptor.arrivals.values.sorted { $0.rank < $1.rank }
        if let missing {
            tell(others, missing)
            throw CollectiveError.failed(missing)
        }
        // The rank before this one in the ring comes to where its control connection came to.
        let own = others.last?.socket.localAddress
        let ringListener: RingListener?
        do { ringListener = wantsRing ? try listenForRing(by: own) : nil } catch {
            tell(others, Failure(culprit: "rank 0 (\(LocalNames.host))", reason: "\(error)"))
            throw error
        }
        let hello = Hello(
            host: LocalNames.host,
            address: interface.isEmpty ? "" : ringListener?.address ?? "",
            port: ringListener?.port ?? 0
        )
        let hellos = [hello] + others.compactMap { Hello.read($0.hello)?.hello }
        let meeting = JobSecret.randomText()
        try send(.members(hellos, meeting: meeting), to: others, hellos)
        // A next rank that says no address came over loopback, from this very machine.
        let nextHost = others.first?.socket.localAddress?.host ?? "127.0.0.1"
        let ring = try ringListener.map {
            try joinRing($0, next: hellos[1].ringAddress(orElse: nextHost), hellos.members, meeting)
        }
        return Meeting(
            members: hellos.members,
            control: others.map { ($0.rank, $0.socket.release()) },
            ring: ring,
            route: Self.route(of: own?.host ?? "127.0.0.1")
        )
    }

    /// Why a rank with this hello does not belong to the job.
    private func objection(_ hello: [UInt8]) -> String? {
        guard let (_, options) = Hello.read(hello) else { return "sent a malformed hello" }
        return options.difference(from: self.options)
    }

    /// - Returns: nil when all have come.
    private func waitForAll(_ acceptor: Acceptor, at address: String) -> Failure? {
        let ranks = Set(1..<place.worldSize)
        var pause = quietWait
        while true {
            let missing = acceptor.accept(ranks, by: min(deadline, .now + pause))
            guard !missing.isEmpty else { return nil }
            let reason = acceptor.turnedAway.last ?? acceptor.refusals.keys.sorted().first
            guard .now < deadline else {
                return Failure(
                    culprit: Self.names(missing),
                    reason: "did not come within \(meetTimeout.inSeconds) to \(address): "
                        + (reason.map { "somebody was turned away: \($0)" }
                            ?? "is it running, and not behind a firewall?")
                )
            }
            let strangers = reason.map { "; turned away: \($0)" } ?? ""
            note("waiting for \(Self.names(missing)) to come to \(address)\(strangers)")
            pause *= 2
        }
    }

    /// As in "ranks 1, 2, 5"; of many, the first.
    private static func names(_ ranks: [Int]) -> String {
        let listed = ranks.prefix(10).map { String($0) }.joined(separator: ", ")
        let others = ranks.count > 10 ? " and \(ranks.count - 10) others" : ""
        return (ranks.count == 1 ? "rank " : "ranks ") + listed + others
    }

    private func tell(_ others: [Acceptor.Arrival], _ failure: Failure) {
        let message = Roster.failure(failure).message
        for other in others { try? other.socket.write(message, by: .now + .seconds(1)) }
    }

    private func send(_ roster: Roster, to others: [Acceptor.Arrival], _ hellos: [Hello]) throws {
        let message = roster.message
        for other in others {
            do { try other.socket.write(message, by: .now + timeout) } catch {
                throw CollectiveError.failed(
                    Failure(culprit: "rank \(other.rank) (\(hellos[other.rank].host))", reason: "\(error)")
                )
            }
        }
    }
}
