#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

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
    let timeout: Duration
    let wantsRing: Bool
    /// Told what a user should know about strangers who knocked.
    let note: (String) -> Void

    private var handshake: Handshake { Handshake(secret: secret) }

    private func greeting(_ purpose: Greeting.Purpose) -> Greeting {
        Greeting(
            version: version,
            job: place.jobID,
            worldSize: place.worldSize,
            rank: place.rank,
            purpose: purpose,
            nonce: Greeting.freshNonce()
        )
    }

    // MARK: Where

    /// Where rank 0 listens: loopback only, unless the job has a secret.
    ///
    /// - Throws: `CollectiveError.usage` when a port is taken, or other machines are to come without a secret.
    func listen() throws -> [Socket] {
        let master = place.masterAddress ?? "127.0.0.1"
        let named = SocketAddress.resolve(master, port: place.masterPort)
        var wanted = named.filter(\.isLoopback)
        if secret.isPublic {
            guard !wanted.isEmpty, wanted.count == named.count || master == "localhost" else { throw needsSecret(master) }
        } else if let numeric = SocketAddress(numeric: master, port: place.masterPort) {
            wanted = [numeric]
        } else {
            // What a host's own name resolves to may be loopback, or an interface that nobody can reach.
            wanted += try LocalNames.addresses(of: interface).compactMap {
                SocketAddress(numeric: $0, port: place.masterPort)
            }
        }
        var problem: SocketError?
        let sockets = wanted.compactMap { address in
            do { return try Socket.listening(on: address) } catch {
                problem = error as? SocketError
                return nil
            }
        }
        guard !sockets.isEmpty else {
            let why = problem.map { $0.description } ?? "\(master) is no address of this machine"
            throw CollectiveError.usage(
                "rank 0 \(why): choose a free MASTER_PORT, and as MASTER_ADDR an address of rank 0's machine"
            )
        }
        return sockets
    }

    private func needsSecret(_ master: String) -> CollectiveError {
        .usage(
            """
            MASTER_ADDR=\(master) is not this machine alone, and the job has no secret: put one into a file that all ranks read, \
            (umask 077; openssl rand -hex 32 > secret), and set \(JobSecret.fileVariable)
            """
        )
    }

    // MARK: Meeting

    /// - Parameters:
    ///   - listeners: of rank 0; nobody else's.
    ///   - candidates: where rank 0 may be reached; nil for the master's address.
    /// - Throws: `CollectiveError`.
    func meet(listeners: [Socket] = [], candidates: [SocketAddress]? = nil) throws -> Meeting {
        let deadline = ContinuousClock.now + timeout
        return place.rank == 0
            ? try meetAsMain(listeners, by: deadline) : try meetAsOther(candidates ?? masterAddresses(), by: deadline)
    }

    private func masterAddresses() throws -> [SocketAddress] {
        guard let master = place.masterAddress else {
            throw CollectiveError.usage(
                "\(place.launcher.rawValue) do not say where rank 0 is: set MASTER_ADDR to its address, and MASTER_PORT"
            )
        }
        let addresses = SocketAddress.resolve(master, port: place.masterPort)
        guard !addresses.isEmpty else {
            throw CollectiveError.usage("MASTER_ADDR=\(master) is not known here: set it to an address")
        }
        guard !secret.isPublic || addresses.allSatisfy(\.isLoopback) || master == "localhost" else {
            throw needsSecret(master)
        }
        return addresses
    }

    private func meetAsMain(_ listeners: [Socket], by deadline: ContinuousClock.Instant) throws -> Meeting {
        let acceptor = Acceptor(listeners, handshake: handshake, expected: greeting(.control), readsHello: true)
        let missing = acceptor.accept(Set(1..<place.worldSize), by: deadline)
        for (reason, count) in acceptor.refusals.sorted(by: { $0.key < $1.key }) {
            note("turned away \(count) \(count == 1 ? "connection" : "connections") that \(reason)")
        }
        let others = acceptor.arrivals.values.sorted { $0.rank < $1.rank }
        guard missing.isEmpty else {
            let names = missing.map { String($0) }.joined(separator: ", ")
            let failure = Failure(
                culprit: "\(missing.count == 1 ? "rank" : "ranks") \(names)",
                reason: "did not come within \(Self.seconds(timeout)) to \(place.masterAddress ?? "rank 0") port "
                    + "\(listeners.first?.localAddress?.port ?? place.masterPort): is it running, and not behind a firewall?"
            )
            let message = Roster.failure(failure).message
            for other in others { try? other.socket.write(message, by: .now + .seconds(1)) }
            throw CollectiveError.failed(failure)
        }
        let hellos = try others.map { try Hello($0.hello, rank: $0.rank) }
        // The rank before this one in the ring comes to where its control connection came to.
        let ringAddress = others.last?.socket.localAddress?.host ?? "127.0.0.1"
        let ringListener = wantsRing ? try listenForRing(on: ringAddress) : nil
        let own = Hello(host: LocalNames.host, address: "", port: ringListener?.localAddress?.port ?? 0)
        let roster = Roster.members([own] + hellos)
        for other in others {
            do { try other.socket.write(roster.message, by: deadline) } catch {
                throw CollectiveError.failed(
                    Failure(culprit: "rank \(other.rank) (\(hellos[other.rank - 1].host))", reason: "\(error)")
                )
            }
        }
        let members = roster.list
        return Meeting(
            members: members,
            control: others.map { ($0.rank, $0.socket.release()) },
            ring: try ringListener.map { listener in
                try joinRing(listener, next: hellos[0].ringAddress(orElse: ringAddress), members, by: deadline)
            },
            route: Self.route(of: ringAddress)
        )
    }

    private func meetAsOther(_ candidates: [SocketAddress], by deadline: ContinuousClock.Instant) throws -> Meeting {
        let control = try reachMain(candidates, by: deadline)
        let wanted = interface.isEmpty ? nil : try LocalNames.addresses(of: interface).first
        let address = wanted ?? control.localAddress?.host ?? "127.0.0.1"
        let ringListener = wantsRing ? try listenForRing(on: address) : nil
        let hello = Hello(host: LocalNames.host, address: address, port: ringListener?.localAddress?.port ?? 0)
        let main = control.remoteAddress.map { "\($0)" } ?? "rank 0"
        let roster: Roster
        do {
            try control.write(hello.message, by: deadline)
            roster = try Roster.read(from: control, by: deadline + .seconds(2))
        } catch let error as SocketError {
            throw CollectiveError.failed(Failure(culprit: "rank 0 at \(main)", reason: "\(error)"))
        }
        if case .failure(let failure) = roster { throw CollectiveError.failed(failure) }
        let next = (place.rank + 1) % place.worldSize
        return Meeting(
            members: roster.list,
            control: [(0, control.release())],
            ring: try ringListener.map { listener in
                let address = roster.hellos[next].ringAddress(orElse: candidatesHost(main))
                return try joinRing(listener, next: address, roster.list, by: deadline)
            },
            route: Self.route(of: address)
        )
    }

    /// Without port and brackets.
    private func candidatesHost(_ address: String) -> String {
        guard let colon = address.lastIndex(of: ":") else { return address }
        return String(address[..<colon].filter { $0 != "[" && $0 != "]" })
    }

    /// Tries every address again and again: rank 0 may come later.
    private func reachMain(_ candidates: [SocketAddress], by deadline: ContinuousClock.Instant) throws -> Socket {
        var problem = "there is no address to try"
        var pause: UInt32 = 20_000
        while .now < deadline {
            for address in candidates {
                do {
                    let socket = try Socket.connected(to: address, by: min(deadline, .now + .seconds(5)))
                    try handshake.connect(socket, as: greeting(.control), by: deadline)
                    return socket
                } catch let refusal as Handshake.Refusal {
                    throw CollectiveError.failed(
                        Failure(
                            culprit: "rank \(place.rank)",
                            reason: "turned away by rank 0 at \(address), because it \(refusal.verdict.reason)"
                        )
                    )
                } catch {
                    problem = "\(error)"
                }
            }
            usleep(pause)
            pause = min(2 * pause, 500_000)
        }
        throw CollectiveError.failed(
            Failure(
                culprit: "rank 0",
                reason: "could not be reached within \(Self.seconds(timeout)): \(problem); is it running, and not behind a firewall?"
            )
        )
    }

    // MARK: The ring

    private func listenForRing(on address: String) throws -> Socket {
        guard let address = SocketAddress(numeric: address, port: 0) else {
            throw CollectiveError.usage("\(address) is no address to listen on: choose another --interface")
        }
        do { return try Socket.listening(on: address) } catch { throw CollectiveError.usage("\(error)") }
    }

    /// Connects to the next rank while the previous one is accepted.
    private func joinRing(
        _ listener: Socket,
        next address: SocketAddress?,
        _ members: [Member],
        by deadline: ContinuousClock.Instant
    ) throws -> (next: Int32, previous: Int32) {
        let count = place.worldSize
        let (next, previous) = ((place.rank + 1) % count, (place.rank + count - 1) % count)
        guard let address else {
            throw CollectiveError.failed(Failure(culprit: "\(members[next])", reason: "said no address"))
        }
        let acceptor = Acceptor([listener], handshake: handshake, expected: greeting(.ring), readsHello: false)
        let hand = Hand(acceptor)
        let thread = SystemThread { hand.missing = hand.acceptor.accept([previous], by: deadline) }
        let result = Result { () throws -> Socket in
            let socket = try Socket.connected(to: address, by: deadline)
            try handshake.connect(socket, as: greeting(.ring), by: deadline)
            return socket
        }
        thread.join()
        func link(_ from: Int, _ to: Int) -> String { "the link from \(members[from]) to \(members[to])" }
        let socket: Socket
        do { socket = try result.get() } catch {
            let reason = (error as? Handshake.Refusal).map { "turned away: it \($0.verdict.reason)" } ?? "\(error)"
            throw CollectiveError.failed(Failure(culprit: link(place.rank, next), reason: reason))
        }
        guard let arrival = acceptor.arrivals[previous] else {
            throw CollectiveError.failed(
                Failure(
                    culprit: link(previous, place.rank),
                    reason: "no connection within \(Self.seconds(timeout)); is there a firewall, or the wrong --interface?"
                )
            )
        }
        return (socket.release(), arrival.socket.release())
    }

    /// Carries the acceptor to its thread and back; `join` orders the two.
    private final class Hand: @unchecked Sendable {
        let acceptor: Acceptor
        var missing: [Int] = []
        init(_ acceptor: Acceptor) { self.acceptor = acceptor }
    }

    static func seconds(_ duration: Duration) -> String {
        let value = duration / .seconds(1)
        return value == value.rounded() ? "\(Int(value)) s" : "\(value) s"
    }

    private static func route(of address: String) -> String {
        let name = NetworkInterface.all().first { $0.addresses.contains(address) }?.name
        return name.map { "\($0) (\(address))" } ?? address
    }
}

/// What a rank says of itself: its host's name and where it listens for the ring.
private struct Hello {
    let host: String
    let address: String
    let port: UInt16

    init(host: String, address: String, port: UInt16) {
        self.host = host
        self.address = address
        self.port = port
    }

    init(_ bytes: [UInt8], rank: Int) throws {
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
        guard parts.count == 3, let port = UInt16(parts[2]) else {
            throw CollectiveError.failed(Failure(culprit: "rank \(rank)", reason: "said nothing sensible of itself"))
        }
        self.init(host: String(parts[0]), address: String(parts[1]), port: port)
    }

    var text: String { "\(host)\t\(address)\t\(port)" }

    /// After its length in two bytes.
    var message: [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
    }

    /// Rank 0 does not say an address: each reaches it where it reached it before.
    func ringAddress(orElse host: String) -> SocketAddress? {
        SocketAddress(numeric: address.isEmpty ? host : address, port: port)
    }
}

/// What rank 0 tells everybody: all members, or why there will be none.
private enum Roster {
    case members([Hello])
    case failure(Failure)

    private static let longest = 1 << 20

    var hellos: [Hello] { if case .members(let hellos) = self { hellos } else { [] } }
    var list: [Member] { hellos.enumerated().map { Member(rank: $0, host: $1.host) } }

    var message: [UInt8] {
        let text =
            switch self {
            case .members(let hellos): "members\n" + hellos.map(\.text).joined(separator: "\n")
            case .failure(let failure): "failure\n\(failure.culprit)\n\(failure.reason)"
            }
        let bytes = Array(text.utf8)
        return Greeting.word(UInt32(bytes.count)) + bytes
    }

    static func read(from socket: Socket, by deadline: ContinuousClock.Instant) throws -> Roster {
        let length = Int(Greeting.word(at: 0, of: try socket.read(4, by: deadline)))
        guard length <= longest else { throw SocketError("a roster of \(length) bytes", nil) }
        let text = String(decoding: try socket.read(length, by: deadline), as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        if lines.first == "failure", lines.count == 3 { return .failure(Failure(culprit: lines[1], reason: lines[2])) }
        return .members(try lines.dropFirst().enumerated().map { try Hello(Array($1.utf8), rank: $0) })
    }
}
