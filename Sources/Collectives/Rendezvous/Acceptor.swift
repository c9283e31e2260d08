#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Accepts the connections of ranks and turns everybody else away.
///
/// One loop serves all connections at once. Who has not proved within five seconds that it belongs here is dropped, and of
/// those that have not yet, only some are kept: the oldest goes when another comes. So neither garbage, nor silence, nor
/// many idle connections keep a rank out.
final class Acceptor {
    struct Arrival {
        let rank: Int
        let socket: Socket
        /// What the rank said of itself, if that was asked for.
        let hello: [UInt8]
    }

    private let listeners: [Socket]
    private let handshake: Handshake
    private let expected: Greeting
    private let readsHello: Bool
    private var guests: [Guest] = []
    private(set) var arrivals: [Int: Arrival] = [:]
    /// Why connections were turned away, and how many.
    private(set) var refusals: [String: Int] = [:]

    static let mostGuests = 64
    static let longestHello = 1024

    /// - Parameters:
    ///   - expected: what greetings must say, but for rank and nonce.
    ///   - readsHello: whether a message of at most 1024 bytes follows the handshake, after its length in two bytes.
    init(_ listeners: [Socket], handshake: Handshake, expected: Greeting, readsHello: Bool) {
        self.listeners = listeners
        self.handshake = handshake
        self.expected = expected
        self.readsHello = readsHello
    }

    /// Accepts until every one of `ranks` is there.
    ///
    /// - Returns: the ranks that did not come by the deadline.
    func accept(_ ranks: Set<Int>, by deadline: ContinuousClock.Instant) -> [Int] {
        while true {
            let missing = ranks.subtracting(arrivals.keys)
            if missing.isEmpty || .now >= deadline { return missing.sorted() }
            let oldest = guests.map(\.deadline).min() ?? deadline
            var watched = listeners.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            watched += guests.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
            _ = poll(&watched, nfds_t(watched.count), (min(deadline, oldest) - .now).milliseconds)
            for guest in guests { serve(guest, ranks) }
            guests.removeAll { guest in
                if !guest.isGone, guest.deadline <= .now { refuse("did not say who they are in time") }
                return guest.isGone || guest.deadline <= .now
            }
            for listener in listeners {
                while let socket = listener.accepted() {
                    if guests.count >= Self.mostGuests {
                        guests.removeFirst()
                        refuse("did not say who they are before many others came")
                    }
                    guests.append(Guest(socket: socket, deadline: .now + Handshake.limit))
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
        let deadline: ContinuousClock.Instant
        var stage = Stage.greeting
        var wanted = Greeting.size
        var bytes: [UInt8] = []
        var isGone = false

        init(socket: Socket, deadline: ContinuousClock.Instant) {
            self.socket = socket
            self.deadline = deadline
        }
    }

    private func refuse(_ reason: String) { refusals[reason, default: 0] += 1 }

    private func serve(_ guest: Guest, _ ranks: Set<Int>) {
        while !guest.isGone {
            guard let bytes = guest.socket.readAvailable(guest.wanted - guest.bytes.count) else {
                guest.isGone = true
                refuse("closed their connection before they said who they are")
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
                return refuse("are not ddp-train")
            }
            let nonce = Greeting.freshNonce()
            say(nonce, to: guest)
            guest.stage = .proof(greeting: message, nonce: nonce)
            guest.wanted = Handshake.proofSize
        case .proof(let greeting, let nonce):
            let rank = Greeting.rank(in: greeting)
            var verdict = Verdict.wrongSecret
            if handshake.isProof(message, of: greeting, nonce: nonce) {
                verdict = Greeting.verdict(on: greeting, expected: expected)
                let isFree = arrivals[rank] == nil && rank != expected.rank
                if verdict == .welcome, !ranks.contains(rank) || !isFree { verdict = .duplicateRank }
            }
            say(handshake.answer(verdict, greeting, nonce: nonce), to: guest)
            guard verdict == .welcome else {
                guest.isGone = true
                return refuse(verdict == .wrongSecret ? "have another secret" : "rank \(rank) \(verdict.reason)")
            }
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
            // Two with one number may have come this far.
            guard arrivals[rank] == nil else {
                guest.isGone = true
                return refuse("rank \(rank) \(Verdict.duplicateRank.reason)")
            }
            arrive(rank, guest, hello: message)
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
