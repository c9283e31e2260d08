import Platform
import TestSupport
import Testing

@testable import Collectives

@Suite("Strangers at rank 0's port")
struct IntruderTests {
    private let ranks = MeetingRanks(worldSize: 3)

    private func expectMeeting(_ outcomes: [MeetingRanks.Outcome]) {
        #expect(outcomes.map(\.message) == [nil, nil, nil])
        for outcome in outcomes { _ = try? outcome.get().sockets() }
    }

    @Test("Garbage is turned away and counted")
    func garbage() throws {
        let (outcomes, notes) = try ranks.run { port in
            try (0..<5).map { _ in try Strangers.knock(port, [UInt8](repeating: 0x47, count: 4000)) }
        }
        expectMeeting(outcomes)
        #expect(notes == ["turned away 5 connections: not ddp-train"])
    }

    @Test("A huge length right after connecting is nothing but garbage")
    func hugeLength() throws {
        let (outcomes, notes) = try ranks.run { port in
            [try Strangers.knock(port, [UInt8](repeating: 0xFF, count: Greeting.size))]
        }
        expectMeeting(outcomes)
        #expect(notes == ["turned away 1 connection: not ddp-train"])
    }

    @Test("A connection that sends a few bytes and then nothing holds nobody up")
    func slow() throws {
        let (outcomes, _) = try ranks.run { port in [try Strangers.knock(port, [0x44])] }
        expectMeeting(outcomes)
    }

    @Test("A thousand idle connections do not keep the ranks out")
    func idle() throws {
        // Before ranks 1 and 2 come, and kept open while they do.
        let thousand: @Sendable (UInt16) -> [Socket] = { port in
            (0..<500).compactMap { _ in try? Strangers.connect(port) }
        }
        let (outcomes, notes) = try ranks.run(before: [1: thousand, 2: thousand])
        expectMeeting(outcomes)
        #expect(notes.count == 1)
        #expect(notes.first?.hasSuffix("connections: too many at once without a handshake") == true, "\(notes)")
    }

    @Test("A stray connection that closes at once is counted")
    func stray() throws {
        let (outcomes, notes) = try ranks.run { port in
            _ = try Strangers.connect(port)
            return []
        }
        expectMeeting(outcomes)
        #expect(notes == ["turned away 1 connection: closed before the handshake was done"])
    }

    @Test("Who waits with its bytes is dropped after the time for all of them, not for each")
    func aByteNowAndThen() throws {
        let listener = try ranks.listener()
        let port = listener.localAddress!.port
        let expected = ranks.rendezvous(0, port: port).greeting(.control, to: 0)
        let acceptor = Acceptor(
            [listener],
            handshake: Handshake(secret: ranks.secret),
            expected: expected,
            readsHello: true,
            limit: .milliseconds(300)
        )
        let stranger = try Strangers.connect(port)
        // A byte before each wait for bytes would be over; they never get as far as a whole greeting.
        let began = ContinuousClock.now
        for byte in ranks.rendezvous(1, port: port).greeting(.control, to: 0).bytes.prefix(50) {
            try? stranger.write([byte], by: .now + .seconds(1))
            _ = acceptor.accept([1, 2], by: .now + .milliseconds(20))
            if !acceptor.refusals.isEmpty { break }
        }
        #expect(acceptor.refusals.values.reduce(0, +) == 1)
        #expect(acceptor.refusals.keys.first?.contains("not done within 0.3 s") == true)
        #expect(ContinuousClock.now - began >= .milliseconds(300))
    }

    /// Reason on the side that comes, and on rank 0's.
    @Test(
        "Who does not belong to the job is refused, and both sides say why",
        arguments: [
            (
                MeetingRanks.Change(secret: JobSecret("quite another secret")),
                "has another secret (DDP_TRAIN_SECRET or DDP_TRAIN_SECRET_FILE)"
            ),
            (.init(job: "other"), "belongs to another job (its id, DDP_TRAIN_JOB_ID or the launcher's, is another)"),
            (.init(version: "2"), "is another version of ddp-train"),
            (.init(worldSize: 4), "has another number of ranks (WORLD_SIZE)"),
            (.init(options: [("seed", "7"), ("n_layer", "2")]), "has seed=7 (rank 0: 1337)"),
        ]
    )
    func refused(change: MeetingRanks.Change, reason: String) throws {
        // The intruder comes as a further process, before the real rank 1.
        let (outcomes, notes) = try ranks.run(
            [0, 1, 2, 1],
            changes: [
                1: .init(delay: .milliseconds(400)), 3: change,
            ]
        )
        expectMeeting(Array(outcomes[..<3]))
        let message = try #require(outcomes[3].message)
        #expect(message.hasPrefix("rank 1 was turned away by rank 0 at 127.0.0.1:"))
        #expect(message.contains("because it \(reason): start all ranks of a job alike"))
        #expect(outcomes[3].isUsage)
        let ofMain =
            change.secret == nil
            ? "turned away rank 1 from 127.0.0.1, because it \(reason)" : "turned away 1 connection: another secret"
        #expect(notes == [ofMain])
    }

    @Test("A rank of another job whose place is taken hears that the job is another, not that it is a duplicate")
    func otherJobComesLate() throws {
        let (outcomes, notes) = try ranks.run(
            [0, 1, 1, 2],
            changes: [
                2: .init(options: [("seed", "7")], delay: .milliseconds(300)), 3: .init(delay: .milliseconds(600)),
            ]
        )
        expectMeeting([outcomes[0], outcomes[1], outcomes[3]])
        #expect(outcomes[2].message?.contains("because it has seed=7 (rank 0: 1337): ") == true)
        #expect(notes.count == 1)
    }

    @Test("What a rank does not know before ranks meet keeps it out of no job")
    func unknownOption() throws {
        let (outcomes, notes) = try ranks.run(changes: [1: .init(options: [("n_layer", "2"), ("preset", "baby")])])
        expectMeeting(outcomes)
        #expect(notes.isEmpty)
    }

    @Test("A rank of another meeting is turned away at the ring's port too, though it knows id and secret")
    func otherMeeting() throws {
        let pair = MeetingRanks(worldSize: 2, timeout: .seconds(5))
        let members = (0..<2).map { Member(rank: $0, host: "host\($0)") }
        let sides = try (0..<2).map { rank in
            let rendezvous = pair.rendezvous(rank, port: 1)
            return RingSide(rendezvous, try rendezvous.listenForRing(by: nil))
        }
        let threads = sides.enumerated().map { rank, side in
            SystemThread { side.join(sides[1 - rank], members, meeting: "meeting \(rank)") }
        }
        for thread in threads { thread.join() }
        let messages = sides.compactMap { $0.result?.message }
        #expect(messages.count == 2)
        #expect(messages.contains { $0.contains("turned away: it belongs to another job") }, "\(messages)")
    }

    /// Belongs to one thread until that is joined; its listener's port may be read by all.
    private final class RingSide: @unchecked Sendable {
        let rendezvous: Rendezvous
        let listener: Rendezvous.RingListener
        let port: UInt16
        var result: Result<(next: Int32, previous: Int32), any Error>?

        init(_ rendezvous: Rendezvous, _ listener: Rendezvous.RingListener) {
            self.rendezvous = rendezvous
            self.listener = listener
            port = listener.port
        }

        func join(_ other: RingSide, _ members: [Member], meeting: String) {
            let address = SocketAddress(numeric: "127.0.0.1", port: other.port)
            result = Result { try rendezvous.joinRing(listener, next: address, members, meeting) }
        }
    }

    @Test("Of two processes with one rank the second is refused, and both sides say why")
    func duplicate() throws {
        let (outcomes, notes) = try ranks.run([0, 1, 1, 2], changes: [3: .init(delay: .milliseconds(400))])
        let failed = outcomes.compactMap(\.message)
        #expect(failed.count == 1)
        #expect(
            failed.first?.contains("is there already (two processes have this RANK, or two jobs this port)") == true
        )
        #expect(notes.count == 1)
        #expect(notes.first?.contains("rank 1 from 127.0.0.1, because it is there already") == true)
        for outcome in outcomes { _ = try? outcome.get().sockets() }
    }

    @Test("A listener that does not know the secret learns nothing and is not believed")
    func falseMain() throws {
        let listener = try ranks.listener()
        let port = listener.localAddress!.port
        let main = MeetingRanks(worldSize: 3, secret: JobSecret("a guess at the secret"))
        let acceptor = Acceptor(
            [listener],
            handshake: Handshake(secret: main.secret),
            expected: main.rendezvous(0, port: port).greeting(.control, to: 0),
            readsHello: true
        )
        let hand = Hand(acceptor)
        let thread = SystemThread { _ = hand.acceptor.accept([1], by: .now + .seconds(1)) }
        let refused = Result { try ranks.rendezvous(1, port: port).meet() }
        thread.join()
        #expect(refused.message?.contains("another secret") == true)
        #expect(acceptor.arrivals.isEmpty)
    }

    /// It says `welcome` with a signature of its own making, or with the only one it has seen: that of who came.
    @Test("An impostor's welcome is not believed", arguments: [false, true])
    func impostor(reflects: Bool) throws {
        let listener = try ranks.listener()
        let port = listener.localAddress!.port
        let coming = Coming()
        let thread = SystemThread {
            coming.result = Result { try Strangers.enter(port, as: ranks.rendezvous(1, port: port)) }
        }
        var taken: Socket?
        while taken == nil { taken = listener.accepted() }
        let socket = try #require(taken)
        let soon = ContinuousClock.now + .seconds(5)
        _ = try socket.read(Greeting.size, by: soon)
        try socket.write(Greeting.magic + Greeting.freshNonce(), by: soon)
        let proof = try socket.read(Handshake.proofSize, by: soon)
        try socket.write(Greeting.word(0) + (reflects ? proof : [UInt8](repeating: 0, count: 32)), by: soon)
        thread.join()
        #expect(throws: Handshake.Refusal.self) { try coming.result?.get() }
    }

    /// What the coming side found; `join` orders the two threads.
    private final class Coming: @unchecked Sendable { var result: Result<Socket, any Error>? }

    private final class Hand: @unchecked Sendable {
        let acceptor: Acceptor
        init(_ acceptor: Acceptor) { self.acceptor = acceptor }
    }
}
