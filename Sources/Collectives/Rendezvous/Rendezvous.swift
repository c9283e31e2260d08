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
    /// What a rank must have in common with rank 0 to belong to its job.
    let options: SharedOptions
    /// Name, address or network of an interface; empty for the one that leads to rank 0.
    let interface: String
    /// On which this rank listens, but for rank 0's own port.
    let ports: PortRange
    /// How long ranks are waited for that have not come yet.
    let meetTimeout: Duration
    /// How long one that has come may take for an answer.
    let timeout: Duration
    let wantsRing: Bool
    /// Told whom this rank waits for, and of strangers who knocked; by any thread.
    let note: @Sendable (String) -> Void
    /// After how long a rank says whom it waits for; then again, with pauses twice as long each time.
    var quietWait = Rendezvous.quietWait
    let began = ContinuousClock.now

    static let quietWait = Duration.seconds(3)

    /// One for all that is waited for until the ranks have met: names, rank 0, and the others.
    var deadline: ContinuousClock.Instant { began + meetTimeout }

    var handshake: Handshake { Handshake(secret: secret) }

    /// What this rank says to the rank `peer`; with its own number for that, what it expects to be told.
    ///
    /// - Parameter meeting: the name that rank 0 gave to it; empty before it is known.
    func greeting(_ purpose: Greeting.Purpose, to peer: Int, meeting: String = "") -> Greeting {
        Greeting(
            version: version,
            job: meeting.isEmpty ? place.jobID : "\(place.jobID)\n\(meeting)",
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
        return place.rank == 0 ? try meetAsMain(listeners) : try meetAsOther(candidates)
    }

    /// Tells about strangers, once.
    func report(_ acceptor: Acceptor) {
        for (reason, count) in acceptor.refusals.sorted(by: { $0.key < $1.key }) {
            note("turned away \(count) \(count == 1 ? "connection" : "connections"): \(reason)")
        }
    }

    static func route(of address: String) -> String {
        let name = NetworkInterface.all().first { $0.addresses.contains(address) }?.name
        return name.map { "\($0) (\(address))" } ?? address
    }
}
