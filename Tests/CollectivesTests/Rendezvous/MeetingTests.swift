import Foundation
import Platform
import TestSupport
import Testing

@testable import Collectives

@Suite("Meeting of ranks")
struct MeetingTests {
    /// Sends over every connection and sees what arrives at the other end.
    private func checkConnections(_ meetings: [Meeting]) throws {
        let count = meetings.count
        let sockets = meetings.map { $0.sockets() }
        let soon = ContinuousClock.now + .seconds(10)
        for rank in 1..<count {
            try sockets[0].control[rank]!.write([UInt8(rank)], by: soon)
            try #expect(sockets[rank].control[0]!.read(1, by: soon) == [UInt8(rank)])
        }
        #expect(sockets[0].control.count == count - 1)
        for rank in 0..<count {
            try #require(sockets[rank].next).write([UInt8(100 + rank)], by: soon)
            try #expect(#require(sockets[(rank + 1) % count].previous).read(1, by: soon) == [UInt8(100 + rank)])
            #expect(meetings[rank].members.map(\.rank) == Array(0..<count))
            #expect(meetings[rank].members.allSatisfy { $0.host == LocalNames.host })
        }
    }

    @Test("Ranks meet, and every connection leads to whom it should", arguments: 2...8, ["127.0.0.1", "::1"])
    func meet(worldSize: Int, host: String) throws {
        guard host != "::1" || MeetingRanks.hasIPv6 else { return }
        let (outcomes, notes) = try MeetingRanks(worldSize: worldSize, host: host).run()
        try checkConnections(outcomes.map { try $0.get() })
        #expect(notes.isEmpty)
    }

    @Test("Without a ring there are control connections alone")
    func noRing() throws {
        let (outcomes, _) = try MeetingRanks(worldSize: 3, wantsRing: false).run()
        for meeting in try outcomes.map({ try $0.get() }) {
            #expect(meeting.ring == nil)
            _ = meeting.sockets()
        }
    }

    @Test("Without a secret ranks meet on loopback")
    func noSecret() throws {
        let (outcomes, _) = try MeetingRanks(worldSize: 2, secret: .none).run()
        try checkConnections(outcomes.map { try $0.get() })
    }

    @Test("A rank that never comes is named, by those too that came")
    func missing() throws {
        let (outcomes, _) = try MeetingRanks(worldSize: 5, timeout: .milliseconds(300)).run([0, 1, 3])
        for outcome in outcomes {
            #expect(outcome.message?.hasPrefix("ranks 2, 4: did not come within 0.3 s to 127.0.0.1 port ") == true)
        }
    }

    @Test("Rank 0 that never comes is named with its address")
    func noMain() throws {
        let ranks = MeetingRanks(worldSize: 2, timeout: .milliseconds(200))
        let port = try ranks.listener().localAddress!.port
        #expect(throws: CollectiveError.self) { try ranks.rendezvous(1, port: port).meet() }
        do { _ = try ranks.rendezvous(1, port: port).meet() } catch {
            #expect(
                "\(error)".hasPrefix("rank 0: could not be reached within 0.2 s: cannot connect to 127.0.0.1:\(port): ")
            )
        }
    }

    @Test("Who came early waits as long as it takes until all are there")
    func early() throws {
        let (outcomes, _) = try MeetingRanks(worldSize: 3).run(
            changes: [1: .init(timeout: .seconds(1)), 2: .init(delay: .milliseconds(1300))]
        )
        #expect(outcomes.map(\.message) == [nil, nil, nil])
        try checkConnections(outcomes.map { try $0.get() })
    }

    @Test("A rank that came and died may come once more")
    func cameAndDied() throws {
        let ranks = MeetingRanks(worldSize: 3)
        let isGone = DispatchSemaphore(value: 0)
        // Rank 1 of an earlier start proves who it is, says its hello, and is gone before the job is complete.
        let (outcomes, notes) = try ranks.run(before: [
            1: { port in
                let socket = try? Strangers.enter(port, as: ranks.rendezvous(1, port: port))
                try? socket?.write([0, 6] + Array("a\t\t99\n".utf8), by: .now + .seconds(5))
                socket?.end()
                isGone.signal()
                return []
            },
            2: { _ in
                isGone.wait()
                return []
            },
        ])
        #expect(outcomes.map(\.message) == [nil, nil, nil])
        try checkConnections(outcomes.map { try $0.get() })
        #expect(notes == ["turned away 1 connection: rank 1 came and left again"])
    }

    @Test("A rank whose rank 0 goes before all have come says so, looks for it again, and meets it")
    func mainComesAgain() throws {
        let ranks = MeetingRanks(worldSize: 2)
        let listener = try ranks.listener()
        let port = try #require(listener.localAddress).port
        let notes = Guarded<[String]>([])
        let other = ranks.meetLater(port, notes)
        // The first rank 0 takes the rank in, and is gone.
        let first = ranks.rendezvous(0, port: port)
        let acceptor = Acceptor(
            [listener],
            handshake: first.handshake,
            expected: first.greeting(.control, to: 0),
            readsHello: true
        )
        #expect(acceptor.accept([1], by: .now + .seconds(10)).isEmpty)
        acceptor.arrivals[1]?.socket.end()
        let meeting = try ranks.rendezvous(0, port: port).meet(listeners: [listener])
        other.thread.join()
        try checkConnections([meeting, #require(other.outcome.withLock { $0 }).get()])
        let line = "rank 0 at 127.0.0.1:\(port) is gone before all ranks had come, looking for it again: "
        #expect(notes.withLock { $0 }.map { $0.hasPrefix(line) } == [true])
    }

    @Test(
        "Another program at rank 0's port is named, and the rank goes on looking",
        arguments: [
            ("SSH-2.0-OpenSSH_9.2\r\n", "it sends \"SSH-2.0-OpenSSH_9.2\", so another program has this port"),
            ("\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}", "it sends other bytes, so another program has this port"),
            // Closed or reset, as the system sees it.
            ("", ""),
        ]
    )
    func otherProgram(banner: String, found: String) throws {
        var ranks = MeetingRanks(worldSize: 2)
        ranks.quietWait = .milliseconds(20)
        let listener = try ranks.listener()
        let port = try #require(listener.localAddress).port
        let notes = Guarded<[String]>([])
        let other = ranks.meetLater(port, notes)
        let address = "127.0.0.1:\(port)"
        let expected = "waiting for rank 0: \(address) is open, but rank 0 does not answer there: \(found)"
        let end = ContinuousClock.now + .seconds(10)
        func isSaid() -> Bool { notes.withLock { $0.contains { $0.hasPrefix(expected) } } }
        while .now < end, !isSaid() {
            if let knock = listener.accepted() { try? knock.write(Array(banner.utf8), by: end) }
            usleep(1000)
        }
        #expect(isSaid(), "\(notes.withLock { $0 })")
        let meeting = try ranks.rendezvous(0, port: port).meet(listeners: [listener])
        other.thread.join()
        try checkConnections([meeting, #require(other.outcome.withLock { $0 }).get()])
    }

    @Test("Who waits says for whom: rank 0 for those that are missing, the others for rank 0 and then for them")
    func waitingLines() throws {
        var ranks = MeetingRanks(worldSize: 3)
        ranks.quietWait = .milliseconds(50)
        let (outcomes, notes) = try ranks.run(changes: [
            0: .init(delay: .milliseconds(150)), 2: .init(delay: .milliseconds(900)),
        ])
        try checkConnections(outcomes.map { try $0.get() })
        func count(_ part: String) -> Int { notes.filter { $0.contains(part) }.count }
        #expect(count("waiting for rank 2 to come to 127.0.0.1 port ") >= 2, "\(notes)")
        #expect(count("is there; waiting for the other ranks, which it names") >= 1, "\(notes)")
    }

    @Test("When rank 0 itself cannot go on, the ranks that came hear why")
    func mainFails() throws {
        let ranks = MeetingRanks(worldSize: 3)
        let holder = try ranks.listener()
        let port = try #require(holder.localAddress).port
        let outcomes = try ranks.run(changes: [0: .init(ports: PortRange("\(port)-\(port)"))]).outcomes
        #expect(outcomes[0].isUsage)
        for outcome in outcomes[1...] {
            #expect(outcome.message?.hasPrefix("rank 0 (\(LocalNames.host)): port_range=\(port)-\(port): ") == true)
        }
    }

    @Test("A notice is said while its thread is blocked, with the latest text, and never after its end")
    func notice() {
        let notes = Guarded<[String]>([])
        let notice = WaitingNotice("one", after: .milliseconds(20)) { line in notes.withLock { $0.append(line) } }
        usleep(150_000)
        notice.text = "two"
        usleep(400_000)
        notice.end()
        let said = notes.withLock { $0 }
        #expect(said.first == "one" && said.contains("two") && said.count < 7, "\(said)")
        usleep(50_000)
        #expect(notes.withLock { $0 } == said)
    }

    @Test("A port that is taken is said in one line")
    func portInUse() throws {
        let ranks = MeetingRanks(worldSize: 2)
        let taken = try ranks.listener()
        let port = taken.localAddress!.port
        #expect(
            throws: CollectiveError.usage(
                "rank 0 cannot listen on 127.0.0.1:\(port): Address already in use, perhaps by another job: choose another "
                    + "MASTER_PORT, the same for all ranks of this job"
            )
        ) { try ranks.rendezvous(0, port: port).listen() }
    }

    @Test("When all are there no port is open any more")
    func portsClosed() throws {
        let ranks = MeetingRanks(worldSize: 2)
        let listener = try ranks.listener()
        let address = try #require(listener.localAddress)
        let hand = Hand()
        let thread = SystemThread { hand.meeting = try? ranks.rendezvous(1, port: address.port).meet() }
        let meeting = try ranks.rendezvous(0, port: address.port).meet(listeners: [listener])
        thread.join()
        #expect(throws: SocketError.self) { try Socket.connected(to: address, by: .now + .seconds(1)) }
        _ = (meeting.sockets(), hand.meeting?.sockets())
    }

    private final class Hand: @unchecked Sendable { var meeting: Meeting? }

    @Test("Of several candidates those that lead nowhere, or to a stranger, are passed over")
    func candidates() throws {
        let ranks = MeetingRanks(worldSize: 2)
        let listener = try ranks.listener()
        let port = try #require(listener.localAddress).port
        let closed = try #require(ranks.listener().localAddress)
        // Another job, of another secret, has one of the addresses on the network of the second rank.
        let stranger = try ranks.listener()
        let false0 = MeetingRanks(worldSize: 2, secret: JobSecret("the secret of a stranger"))
        let acceptor = Acceptor(
            [stranger],
            handshake: Handshake(secret: false0.secret),
            expected: false0.rendezvous(0, port: port).greeting(.control, to: 0),
            readsHello: true
        )
        let box = AcceptorBox(acceptor)
        let hand = Hand()
        let threads = [
            SystemThread { _ = box.acceptor.accept([1], by: .now + .seconds(10)) },
            SystemThread {
                let main = SocketAddress(numeric: "127.0.0.1", port: port)!
                hand.meeting = try? ranks.rendezvous(1, port: port)
                    .meet(candidates: [closed, box.address, main])
                box.acceptor.cancel()
            },
        ]
        let meeting = try ranks.rendezvous(0, port: port).meet(listeners: [listener])
        for thread in threads { thread.join() }
        #expect(hand.meeting?.members.count == 2)
        #expect(acceptor.refusals == ["another secret": 1])
        _ = (meeting.sockets(), hand.meeting?.sockets())
    }

    private final class AcceptorBox: @unchecked Sendable {
        let acceptor: Acceptor
        var address: SocketAddress { acceptor.listeners[0].localAddress! }
        init(_ acceptor: Acceptor) { self.acceptor = acceptor }
    }
}
