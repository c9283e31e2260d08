import Platform

/// The ranks of a job after they have met: who they are, and connections that both ends have proved to be theirs.
struct Meeting {
    let members: [Member]
    /// Rank 0 has one to every other rank, the others one to rank 0.
    let control: [(rank: Int, descriptor: Int32)]
    /// To the next rank of the ring and from the previous one; nil where no ring was wanted.
    let ring: (next: Int32, previous: Int32)?
    /// Which way the network goes, such as `eth0 (10.0.0.5)`.
    let route: String
}

/// How ranks find each other: rank 0 listens, the others come, and rank 0 tells everybody who is there. Then each connects to
/// the next one of the ring. When all have met, no port is open any more.
struct Rendezvous {
    let place: JobPlace
    let secret: JobSecret
    let version: String
    /// Name, address or network of an interface; empty for the one that leads to rank 0.
    let interface: String
    /// How long ranks are waited for that have not come yet.
    let meetTimeout: Duration
    /// How long one that has come may take for an answer.
    let timeout: Duration
    let wantsRing: Bool
    /// Told whom this rank waits for, and of strangers who knocked.
    let note: (String) -> Void

    /// After how long a rank says whom it waits for.
    static let quietWait = Duration.seconds(3)

    var handshake: Handshake { Handshake(secret: secret) }

    /// What this rank says to the rank `peer`; with its own number for that, what it expects to be told.
    func greeting(_ purpose: Greeting.Purpose, to peer: Int) -> Greeting {
        Greeting(
            version: version,
            job: place.jobID,
            worldSize: place.worldSize,
            rank: place.rank,
            purpose: purpose,
            peer: peer,
            nonce: Greeting.freshNonce()
        )
    }

    // MARK: Meeting

    /// - Parameters:
    ///   - listeners: of rank 0; nobody else's. They are closed when all have come, or have not come in time.
    ///   - candidates: where rank 0 may be reached; nil for the master's address.
    /// - Throws: `CollectiveError`.
    func meet(listeners: [Socket] = [], candidates: [SocketAddress]? = nil) throws -> Meeting {
        if !interface.isEmpty { _ = try LocalNames.addresses(of: interface) }
        let deadline = ContinuousClock.now + meetTimeout
        return place.rank == 0
            ? try meetAsMain(listeners, by: deadline) : try meetAsOther(candidates, by: deadline)
    }

    private func meetAsMain(_ listeners: [Socket], by deadline: ContinuousClock.Instant) throws -> Meeting {
        let port = listeners.first?.localAddress?.port ?? place.masterPort
        let acceptor = Acceptor(
            listeners,
            handshake: handshake,
            expected: greeting(.control, to: place.rank),
            readsHello: true
        )
        var missing = acceptor.accept(Set(1..<place.worldSize), by: min(deadline, .now + Self.quietWait))
        if !missing.isEmpty, .now < deadline {
            note("waiting for \(Self.names(missing)) to come to \(place.masterAddress ?? "rank 0") port \(port)")
            missing = acceptor.accept(Set(1..<place.worldSize), by: deadline)
        }
        // No port is open any more, and who comes too late is told so by the system.
        for listener in listeners { listener.end() }
        report(acceptor)
        let others = acceptor.arrivals.values.sorted { $0.rank < $1.rank }
        guard missing.isEmpty else {
            let failure = Failure(
                culprit: Self.names(missing),
                reason:
                    "did not come within \(meetTimeout.inSeconds) to \(place.masterAddress ?? "rank 0") port \(port): "
                    + (acceptor.refusals.keys.sorted().first.map { "somebody was turned away: \($0)" }
                        ?? "is it running, and not behind a firewall?")
            )
            let message = Roster.failure(failure).message
            for other in others { try? other.socket.write(message, by: .now + .seconds(1)) }
            throw CollectiveError.failed(failure)
        }
        let hellos = try others.map { try Hello($0.hello, rank: $0.rank) }
        // The rank before this one in the ring comes to where its control connection came to.
        let own = others.last?.socket.localAddress
        let ringListener = wantsRing ? try listenForRing(by: own) : nil
        let hello = Hello(
            host: LocalNames.host,
            address: interface.isEmpty ? "" : ringListener?.address ?? "",
            port: ringListener?.port ?? 0
        )
        let roster = Roster.members([hello] + hellos)
        for other in others {
            do { try other.socket.write(roster.message, by: .now + timeout) } catch {
                throw CollectiveError.failed(
                    Failure(culprit: "rank \(other.rank) (\(hellos[other.rank - 1].host))", reason: "\(error)")
                )
            }
        }
        // A next rank that says no address came over loopback, from this very machine.
        let nextHost = others.first?.socket.localAddress?.host ?? "127.0.0.1"
        let ring = try ringListener.map {
            try joinRing($0, next: hellos[0].ringAddress(orElse: nextHost), roster.list)
        }
        return Meeting(
            members: roster.list,
            control: others.map { ($0.rank, $0.socket.release()) },
            ring: ring,
            route: Self.route(of: own?.host ?? "127.0.0.1")
        )
    }

    /// As in "ranks 1, 2, 5"; of many, the first.
    private static func names(_ ranks: [Int]) -> String {
        let listed = ranks.prefix(10).map { String($0) }.joined(separator: ", ")
        let others = ranks.count > 10 ? " and \(ranks.count - 10) others" : ""
        return (ranks.count == 1 ? "rank " : "ranks ") + listed + others
    }

    /// - Parameter candidates: where rank 0 may be reached; nil for the master's address, which may become known only later.
    private func meetAsOther(_ candidates: [SocketAddress]?, by deadline: ContinuousClock.Instant) throws -> Meeting {
        let control = try reachMain(candidates, by: deadline)
        let ringListener = wantsRing ? try listenForRing(by: control.localAddress) : nil
        let hello = Hello(host: LocalNames.host, address: ringListener?.address ?? "", port: ringListener?.port ?? 0)
        let roster: Roster
        do {
            try control.write(hello.message, by: deadline + .seconds(1))
            // Rank 0 may have begun to wait for the others only now; it says so when they do not come.
            roster = try Roster.read(
                from: control,
                worldSize: place.worldSize,
                by: .now + meetTimeout + timeout + .seconds(2)
            )
        } catch let error as SocketError {
            let address = control.remoteAddress.map { "\($0)" } ?? "an unknown address"
            throw CollectiveError.failed(Failure(culprit: "rank 0 at \(address)", reason: "\(error)"))
        }
        if case .failure(let failure) = roster { throw CollectiveError.failed(failure) }
        let next = (place.rank + 1) % place.worldSize
        let mainHost = control.remoteAddress?.host ?? "127.0.0.1"
        let ring = try ringListener.map {
            try joinRing($0, next: roster.hellos[next].ringAddress(orElse: mainHost), roster.list)
        }
        let own =
            ringListener.flatMap { $0.address.isEmpty ? nil : $0.address } ?? control.localAddress?.host ?? "127.0.0.1"
        return Meeting(members: roster.list, control: [(0, control.release())], ring: ring, route: Self.route(of: own))
    }

    /// Tells about strangers, once.
    func report(_ acceptor: Acceptor) {
        for (reason, count) in acceptor.refusals.sorted(by: { $0.key < $1.key }) {
            note("turned away \(count) \(count == 1 ? "connection" : "connections"): \(reason)")
        }
    }

    /// Tries every address again and again: rank 0, or its name, may come later.
    private func reachMain(_ given: [SocketAddress]?, by deadline: ContinuousClock.Instant) throws -> Socket {
        var problem = "there is no address to try"
        var pause: UInt32 = 20_000
        var noteAt: ContinuousClock.Instant? = .now + Self.quietWait
        while .now < deadline {
            let candidates = try given ?? masterAddresses()
            if candidates.isEmpty, let master = place.masterAddress { problem = "\(nobodyKnows(master))" }
            // An address that swallows everything must not take the time of the others.
            let patience = Duration.seconds(candidates.count > 1 ? 2 : 3)
            var stranger: SocketAddress?
            for address in candidates {
                do {
                    let socket = try Socket.connected(to: address, by: min(deadline, .now + patience))
                    try handshake.connect(socket, as: greeting(.control, to: 0), by: deadline)
                    return socket
                } catch let refusal as Handshake.Refusal {
                    // What is signed comes from rank 0; what is not may come from another machine with this address.
                    guard refusal.verdict == .wrongSecret else { throw turnedAway(at: address, refusal.verdict) }
                    stranger = stranger ?? address
                } catch {
                    problem = "\(error)"
                }
            }
            if let stranger { throw turnedAway(at: stranger, .wrongSecret) }
            if let due = noteAt, .now >= due {
                noteAt = nil
                note("waiting for rank 0: \(problem)")
            }
            usleep(pause)
            pause = min(2 * pause, 500_000)
        }
        throw CollectiveError.failed(
            Failure(
                culprit: "rank 0",
                reason:
                    "could not be reached within \(meetTimeout.inSeconds): \(problem); is it running, and not behind a firewall?"
            )
        )
    }

    private func turnedAway(at address: SocketAddress, _ verdict: Verdict) -> CollectiveError {
        .failed(
            Failure(
                culprit: "rank \(place.rank)",
                reason: "turned away by rank 0 at \(address), because it \(verdict.reason)"
            )
        )
    }

    static func route(of address: String) -> String {
        let name = NetworkInterface.all().first { $0.addresses.contains(address) }?.name
        return name.map { "\($0) (\(address))" } ?? address
    }
}
