import Platform
import Synchronization

/// Accepts the connections of ranks and turns everybody else away.
///
/// One loop serves all connections at once. Who has not proved within five seconds that it belongs here is dropped, and of
/// those that have not yet, only some are kept: when another comes, the oldest that has said nothing goes first. So neither
/// garbage, nor silence, nor many idle connections keep a rank out. A rank whose connection ends before all are there is
/// missing again and may come once more.
final class Acceptor {
    struct Arrival {
        let rank: Int
        let socket: Socket
        /// What the rank said of itself, if that was asked for.
        let hello: [UInt8]
    }

    let listeners: [Socket]
    private let handshake: Handshake
    private let expected: Greeting
    private let readsHello: Bool
    private let objection: (_ rank: Int, _ hello: [UInt8]) -> String?
    private let note: (String) -> Void
    private let limit: Duration
    private var guests: [Guest] = []
    private(set) var arrivals: [Int: Arrival] = [:]
    /// Why connections of strangers were turned away, and how many.
    private(set) var refusals: [String: Int] = [:]
    /// Which ranks that know the secret were turned away, and why, each once.
    private(set) var turnedAway: [String] = []

    private let isCancelled = Atomic(false)

    static let mostGuests = 64
    /// How soon an end is noticed that wakes nobody: a cancellation, and the connection of a rank that waits.
    private static let longestWait = Duration.milliseconds(100)
    static let longestHello = 1 << 15
    private static let mostTurnedAway = 50

    /// - Parameters:
    ///   - expected: what greetings must say, but for rank and nonce; its `rank` is the own one, as is its `peer`.
    ///   - readsHello: whether a message follows the handshake, after its length in two bytes.
    ///   - objection: why a rank with this hello does not belong here, to follow "because it"; nil when it does. The rank is told.
    ///   - note: told at once of ranks that know the secret and are turned away.
    ///   - limit: for all that a connection has to say before it is trusted.
    init(
        _ listeners: [Socket],
        handshake: Handshake,
        expected: Greeting,
        readsHello: Bool,
        objection: @escaping (_ rank: Int, _ hello: [UInt8]) -> String? = { _, _ in nil },
        note: @escaping (String) -> Void = { _ in },
        limit: Duration = Handshake.limit
    ) {
        self.objection = objection
        self.note = note
        self.limit = limit
        self.listeners = listeners
        self.handshake = handshake
        self.expected = expected
        self.readsHello = readsHello
    }

    /// Makes `accept` return soon; may be called by any thread.
    func cancel() { isCancelled.store(true, ordering: .relaxed) }

    /// Accepts until every one of `ranks` is there.
    ///
    /// - Returns: the ranks that did not come by the deadline, or before a cancellation.
    func accept(_ ranks: Set<Int>, by deadline: ContinuousClock.Instant) -> [Int] {
        while true {
            if readsHello { forgetTheLost() }
            let missing = ranks.subtracting(arrivals.keys)
            if missing.isEmpty || .now >= deadline || isCancelled.load(ordering: .relaxed) { return missing.sorted() }
            let oldest = min(guests.map(\.deadline).min() ?? deadline, .now + Self.longestWait)
            var watched = listeners.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            watched += guests.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
            _ = poll(&watched, nfds_t(watched.count), (min(deadline, oldest) - .now).milliseconds)
            for guest in guests { serve(guest, ranks) }
            let now = ContinuousClock.now
            for guest in guests where !guest.isGone && guest.deadline <= now {
                guest.isGone = true
                refuse("handshake not done within \(limit.inSeconds)")
            }
            guests.removeAll(where: \.isGone)
            for listener in listeners {
                while let socket = listener.accepted() {
                    if guests.count >= Self.mostGuests { makeRoom() }
                    let guest = Guest(socket: socket, deadline: .now + limit)
                    guests.append(guest)
                    // At once: a rank has said its greeting by now, and then it is not among those that said nothing.
                    serve(guest, ranks)
                }
            }
        }
    }

    /// A connection that has not arrived yet.
    private final class Guest {
        enum Stage {
            case greeting, proof(greeting: [UInt8], nonce: [UInt8]), helloLength(rank: Int), hello(rank: Int)
        }

        let socket: Socket
        /// Asked for at once: a connection that the other side has closed tells no address.
        let host: String
        let deadline: ContinuousClock.Instant
        var stage = Stage.greeting
        var wanted = Greeting.size
        var bytes: [UInt8] = []
        var isGone = false

        /// The rank that it has proved to be.
        var provedRank: Int? {
            switch stage {
            case .greeting, .proof: nil
            case .helloLength(let rank), .hello(let rank): rank
            }
        }

        var saidNothing: Bool { if case .greeting = stage { true } else { false } }

        init(socket: Socket, deadline: ContinuousClock.Instant) {
            self.socket = socket
            host = socket.remoteAddress?.host ?? "an unknown address"
            self.deadline = deadline
        }
    }

    private func refuse(_ reason: String) { refusals[reason, default: 0] += 1 }

    private func turnAway(_ guest: Guest, _ rank: Int, because reason: String) {
        let line = "rank \(rank) from \(guest.host), because it \(reason)"
        guest.isGone = true
        guard turnedAway.count < Self.mostTurnedAway, !turnedAway.contains(line) else { return }
        turnedAway.append(line)
        note("turned away \(line)")
    }

    private func makeRoom() {
        guests.removeAll(where: \.isGone)
        guard guests.count >= Self.mostGuests else { return }
        let oldest = guests.firstIndex(where: \.saidNothing) ?? guests.firstIndex { $0.provedRank == nil }
        guard let oldest else { return }
        guests.remove(at: oldest)
        refuse("too many at once without a handshake")
    }

    /// A rank says nothing after its hello until it has heard from rank 0, so an end is all there can be to read.
    private func forgetTheLost() {
        for (rank, arrival) in arrivals where arrival.socket.hasEnded {
            arrivals[rank] = nil
            refuse("rank \(rank) came and left again")
        }
    }

    /// Whether somebody is there as `rank`.
    private func isTaken(_ rank: Int) -> Bool {
        forgetTheLost()
        return arrivals[rank] != nil
    }

    private func serve(_ guest: Guest, _ ranks: Set<Int>) {
        while !guest.isGone {
            guard let bytes = guest.socket.readAvailable(guest.wanted - guest.bytes.count) else {
                guest.isGone = true
                refuse("closed before the handshake was done")
                return
            }
            guest.bytes += bytes
            guard guest.bytes.count == guest.wanted else { return }
            let message = guest.bytes
            guest.bytes = []
            take(message, from: guest, ranks)
        }
    }

    private func take(_ message: [UInt8], from guest: Guest, _ ranks: Set<Int>) {
        switch guest.stage {
        case .greeting:
            guard Greeting.isGreeting(message) else {
                guest.isGone = true
                return refuse(Greeting.isOfFamily(message) ? "another version of ddp-train" : "not ddp-train")
            }
            let nonce = Greeting.freshNonce()
            say(Greeting.magic + nonce, to: guest)
            guest.stage = .proof(greeting: message, nonce: nonce)
            guest.wanted = Handshake.proofSize
        case .proof(let greeting, let nonce):
            let rank = Greeting.rank(in: greeting)
            var verdict = Verdict.wrongSecret
            if handshake.isProof(message, of: greeting, nonce: nonce) {
                verdict = Greeting.verdict(on: greeting, expected: expected)
                // With a hello it may turn out to be a rank of another job, which is the better thing to say.
                let isDuplicate = !ranks.contains(rank) || !readsHello && isTaken(rank)
                if verdict == .welcome, isDuplicate { verdict = .duplicateRank }
            }
            say(handshake.answer(verdict, greeting, nonce: nonce), to: guest)
            guard verdict != .wrongSecret else {
                guest.isGone = true
                return refuse("another secret")
            }
            guard verdict == .welcome else { return turnAway(guest, rank, because: verdict.reason) }
            guard readsHello else { return arrive(rank, guest, hello: []) }
            guest.stage = .helloLength(rank: rank)
            guest.wanted = 2
        case .helloLength(let rank):
            let length = Int(message[0]) << 8 | Int(message[1])
            guard (1...Self.longestHello).contains(length) else {
                guest.isGone = true
                return refuse("rank \(rank) sent no proper hello")
            }
            guest.stage = .hello(rank: rank)
            guest.wanted = length
        case .hello(let rank):
            let reason = objection(rank, message) ?? (isTaken(rank) ? Verdict.duplicateRank.reason : nil)
            guard let reason else { return arrive(rank, guest, hello: message) }
            say(Roster.turnedAway(reason).message, to: guest)
            turnAway(guest, rank, because: reason)
        }
    }

    private func arrive(_ rank: Int, _ guest: Guest, hello: [UInt8]) {
        arrivals[rank] = Arrival(rank: rank, socket: Socket(adopting: guest.socket.release()), hello: hello)
        guest.isGone = true
    }

    /// What is said before an arrival is short, so that it never has to wait for room.
    private func say(_ bytes: [UInt8], to guest: Guest) {
        do { try guest.socket.write(bytes, by: .now) } catch { guest.isGone = true }
    }
}
