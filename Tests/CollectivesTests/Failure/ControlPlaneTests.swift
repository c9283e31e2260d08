import Foundation
import Platform
import Testing

@testable import Collectives
@testable import TestSupport

@Suite("Control plane", .timeLimit(.minutes(1)))
struct ControlPlaneTests {
    static func closed(_ rank: Int) -> String {
        "rank \(rank) (host\(rank)): its connection closed (the process ended or was killed)"
    }
    static func silent(_ rank: Int) -> String {
        "rank \(rank) (host\(rank)): no sign of life for 0.6 s (stopped, swapped out, or its network is cut)"
    }

    // MARK: Lost ranks

    @Test("All who are left name a worker that died", arguments: [2, 3, 5])
    func worker(worldSize: Int) {
        let star = Star(worldSize)
        star.kill(worldSize - 1)
        let rest = 0..<worldSize - 1
        #expect(star.verdicts(rest) == [String](repeating: Self.closed(worldSize - 1), count: worldSize - 1))
        for rank in rest { #expect(star.notes[rank].code == 69) }
    }

    @Test("All who are left name rank 0 when it died", arguments: [2, 3, 5])
    func hub(worldSize: Int) {
        let star = Star(worldSize)
        star.kill(0)
        #expect(star.verdicts(1..<worldSize) == [String](repeating: Self.closed(0), count: worldSize - 1))
    }

    @Test("A rank that falls silent is named by all others", arguments: [2, 4])
    func stopped(worldSize: Int) {
        let star = Star(worldSize, playing: [1], limits: .short)
        star.play(1, ControlMessage.heartbeat(number: 0, ProgressReport(activity: .waiting)).bytes)
        let rest = (0..<worldSize).filter { $0 != 1 }
        #expect(star.verdicts(rest) == [String](repeating: Self.silent(1), count: worldSize - 1))
        // It could read of it when it goes on, so that nobody asks why it left.
        #expect(star.failureRead(by: 1) == Self.silent(1))
    }

    @Test("When rank 0 falls silent all others name it")
    func stoppedHub() {
        let star = Star(4, playing: [0], limits: .short)
        #expect(star.verdicts(1..<4) == (1..<4).map { _ in Self.silent(0) })
    }

    @Test("When rank 0 is cut off one way it still learns why the others leave")
    func oneWay() {
        // It reads what comes, but nothing that it sends arrives.
        let star = Star(3, playing: [0], limits: .short)
        #expect(star.verdicts(1..<3) == [Self.silent(0), Self.silent(0)])
        #expect(star.failureRead(by: 0) == Self.silent(0))
    }

    @Test("What one rank is asked, all are asked", arguments: [0, 1, 2])
    func stop(rank: Int) {
        let star = Star(3)
        for board in star.boards { board.beginTraining() }
        star.stops[rank].request()
        while !star.stops.allSatisfy(\.isRequested) { usleep(1000) }
        star.together([0, 1, 2]) { _, plane in #expect(plane.leave() == nil) }
        #expect(star.isSilent)
    }

    @Test("Asked before training began, all ranks leave at once as stopped, and nobody is lost", arguments: [0, 1, 2])
    func stopBeforeTraining(rank: Int) {
        let star = Star(3)
        // It has come to the last collective of the preparation, in which it waits for the others.
        star.boards[1].beginTraining()
        star.boards[2 - rank / 2].beginTraining()
        star.stops[rank].request()
        #expect(star.verdicts(0..<3) == ["stopped", "stopped", "stopped"])
        for notes in star.notes { #expect(notes.code == 75) }
    }

    @Test("A rank that no other one waits for says that it stands still, and goes on")
    func alone() {
        let star = Star(1, limits: .short)
        star.boards[0].stage = .openingDataset
        star.boards[0].activity = .preparing
        while star.notes[0].lines.count < 2 { usleep(5000) }
        #expect(
            star.notes[0].lines.allSatisfy {
                $0.wholeMatch(of: /no progress for [\d.]+ s while opening the dataset/) != nil
            }
        )
        #expect(star.isSilent && star.planes[0]!.leave() == nil)
    }

    @Test("A rank whose storage hangs is named with what it was doing, by itself before", arguments: [0, 2])
    func hangingStorage(rank: Int) {
        let star = Star(3, limits: .short)
        for board in star.boards { board.activity = .waiting }
        star.boards[rank].stage = .openingDataset
        star.boards[rank].activity = .preparing
        let expected = "rank \(rank) (host\(rank)): no progress for 0.6 s while opening the dataset"
        #expect(star.verdicts(0..<3) == [expected, expected, expected])
        #expect(
            star.notes[rank].lines.first?.wholeMatch(
                of: /rank \d \(host\d\): no progress for [\d.]+ s while opening the dataset; at 0.6 s the job ends/
            ) != nil,
            "\(star.notes[rank].lines)"
        )
    }

    @Test("A preparation that uses the processor makes progress, whatever it counts")
    func busyPreparation() {
        let star = Star(2, limits: .short)
        star.boards[1].activity = .waiting
        star.boards[0].activity = .preparing
        // On the thread that made the control plane.
        let end = ContinuousClock.now + .milliseconds(1500)
        var sum = 0.0
        while ContinuousClock.now < end { sum += 1.5.squareRoot() }
        #expect(star.isSilent && sum > 0)
    }

    @Test("Rank 0 does not say of itself that it is silent, but who says so")
    func accused() {
        let star = Star(2, playing: [1])
        star.play(
            1,
            ControlMessage.failure(Failure(culprit: "rank 0 (host0)", reason: "no sign of life for 3 s")).bytes
        )
        #expect(
            star.verdicts([0]) == ["rank 0 (host0): taken for lost by rank 1 (host1): no sign of life for 3 s"]
        )
    }

    @Test("Garbage on a control connection is a failed link", arguments: [1, 2])
    func garbage(rank: Int) {
        let star = Star(3, playing: [rank])
        star.play(rank, Array("GET / HTTP/1.1\r\n\r\n".utf8))
        let rest = (0..<3).filter { $0 != rank }
        let expected = "the link from rank \(rank) (host\(rank)) to rank 0 (host0): what came is no control message"
        #expect(star.verdicts(rest) == [expected, expected])
        #expect(star.failureRead(by: rank) == expected)
    }

    @Test("Rank 0 says what failed at once, but leaves only when the others have read of it and closed")
    func lingering() {
        let limits = ControlThread.Limits(timeout: .seconds(60), patience: .seconds(30), lingering: .seconds(30))
        let star = Star(3, playing: [1, 2], limits: limits)
        star.kill(2)
        #expect(star.failureRead(by: 1) == Self.closed(2))
        usleep(20_000)
        #expect(!star.isSilent && star.notes[0].code == nil)
        star.kill(1)
        #expect(star.verdicts([0]) == [Self.closed(2)])
    }

    @Test("A heartbeat that was left out is damage")
    func missingHeartbeat() {
        let star = Star(2, playing: [1])
        for number in [0, 2] as [UInt64] {
            star.play(1, ControlMessage.heartbeat(number: number, ProgressReport()).bytes)
        }
        #expect(
            star.verdicts([0]) == [
                "the link from rank 1 (host1) to rank 0 (host0): heartbeat 2 came where heartbeat 1 was due"
            ]
        )
    }

    // MARK: Stalls

    @Test("A rank that stands still while it computes is named by all, itself included", arguments: [0, 2])
    func standstill(rank: Int) {
        let star = Star(3, limits: .short)
        for board in star.boards { board.activity = .waiting }
        star.boards[rank].activity = .computing
        star.boards[rank].stage = .computing
        let expected = "rank \(rank) (host\(rank)): no progress for 0.6 s while computing"
        #expect(star.verdicts(0..<3) == [expected, expected, expected])
    }

    @Test("Work longer than the timeout raises no alarm as long as it moves")
    func longWork() {
        let star = Star(3, limits: .short)
        for board in star.boards { board.activity = .waiting }
        star.boards[1].activity = .computing
        // Two timeouts; each part takes a thirtieth of one, so that only a stop of this process would matter.
        for _ in 0..<60 {
            usleep(20_000)
            star.boards[1].worked()
        }
        #expect(star.isSilent)
        for plane in star.planes { #expect(plane!.failure == nil) }
    }

    @Test("A link that carries nothing is named by all")
    func link() {
        let star = Star(4, limits: .short)
        for board in star.boards {
            board.posted(sends: 3, receives: 4)
            board.moved(sent: 3, received: 3)
        }
        star.boards[3].posted(sends: 1)
        for board in star.boards { board.activity = .waiting }
        let expected = "the link from rank 3 (host3) to rank 0 (host0): nothing arrived for 0.6 s"
        #expect(star.verdicts(0..<4) == [expected, expected, expected, expected])
    }

    // MARK: Reports

    @Test("What a rank reports is named by all, and it alone leaves with its own code", arguments: [0, 1, 2])
    func report(rank: Int) {
        let star = Star(3)
        let failure = Failure(culprit: "rank \(rank) (host\(rank))", reason: "train.bin is cut short")
        star.together([rank]) { _, plane in #expect(plane.report(failure, exitCode: 65) == failure) }
        #expect(star.verdicts(0..<3) == [failure.description, failure.description, failure.description])
        for (other, notes) in star.notes.enumerated() { #expect(notes.code == (other == rank ? 65 : 69)) }
        #expect(star.planes[1]!.failure == failure)
        // Later ones change nothing.
        let other = Failure(culprit: "another", reason: "later")
        #expect(star.planes[rank]!.report(other) == failure && star.planes[rank]!.leave() == failure)
    }

    @Test("Of reports that race one wins, the same on all ranks", arguments: [2, 3, 5])
    func race(worldSize: Int) {
        for _ in 0..<20 {
            let star = Star(worldSize)
            star.together(Array(0..<worldSize)) { rank, plane in
                plane.report(Failure(culprit: "rank \(rank) (host\(rank))", reason: "wrong"), exitCode: Int32(rank))
            }
            let verdicts = star.verdicts(0..<worldSize)
            #expect(Set(verdicts).count == 1, "\(verdicts)")
            for rank in 0..<worldSize {
                #expect(star.notes[rank].code == (verdicts[0].hasPrefix("rank \(rank) ") ? Int32(rank) : 69))
            }
        }
    }

    @Test("A report to a rank 0 that does not answer is the failure after a while")
    func deafHub() {
        let star = Star(2, playing: [0])
        let failure = Failure(culprit: "rank 1 (host1)", reason: "wrong")
        star.together([1]) { _, plane in plane.report(failure) }
        #expect(star.verdicts([1]) == ["rank 1 (host1): wrong"])
    }

    // MARK: Suspicions

    @Test("The neighbours of a dead rank wait for its name instead of blaming their link")
    func neighbours() {
        let limits = ControlThread.Limits(timeout: .seconds(60), patience: .seconds(30), lingering: .milliseconds(200))
        let star = Star(4, limits: limits)
        let neighbours = [1, 3].map { rank in
            let plane = star.planes[rank]!
            return SystemThread {
                #expect("\(plane.suspect(peer: 2, reason: "its connection closed"))" == Self.closed(2))
            }
        }
        // The ring's connections close first.
        usleep(20_000)
        star.kill(2)
        for thread in neighbours { thread.join() }
        #expect(star.verdicts([0, 1, 3]) == [Self.closed(2), Self.closed(2), Self.closed(2)])
    }

    @Test("If nobody was lost the link between the two is named", arguments: [(0, 1), (1, 2), (2, 1), (2, 0)])
    func suspectedLink(rank: Int, peer: Int) {
        let star = Star(3)
        star.together([rank]) { rank, plane in plane.suspect(peer: peer, reason: "No route to host") }
        let (first, second) = (min(rank, peer), max(rank, peer))
        let expected =
            "the link between rank \(first) (host\(first)) and rank \(second) (host\(second)): No route to host"
        #expect(star.verdicts(0..<3) == [expected, expected, expected])
    }

    // MARK: Leaving

    @Test("Ranks leave in any order without alarm", arguments: [2, 3, 4])
    func leave(worldSize: Int) {
        let orders = permutations(worldSize)
        for order in orders {
            let star = Star(worldSize)
            let threads = order.map { rank in
                let plane = star.planes[rank]!
                defer { usleep(500) }
                return SystemThread { #expect(plane.leave() == nil) }
            }
            for thread in threads { thread.join() }
            #expect(star.isSilent, "order \(order)")
        }
    }

    @Test("A rank that has left may close while the others go on; one that dies after that is named still")
    func leaveEarly() {
        let star = Star(4, playing: [2])
        star.play(2, ControlMessage.leaving.bytes)
        star.kill(2)
        star.kill(3)
        #expect(star.verdicts(0..<2) == [Self.closed(3), Self.closed(3)])
    }

    @Test("Leaving ends after the timeout even if nobody else leaves")
    func leaveAlone() {
        // Rank 1 lives but never leaves; rank 0 ends, and to rank 1 that is no failure.
        let star = Star(2, limits: .short)
        #expect(star.planes[0]!.leave() == nil)
        #expect(star.planes[1]!.leave() == nil)
        #expect(star.isSilent)
    }

    @Test("Who is about to leave hears of a failure")
    func failureWhileLeaving() {
        let star = Star(3)
        let plane = star.planes[1]!
        let leaving = SystemThread { #expect(plane.leave()?.description == Self.closed(2)) }
        star.kill(2)
        leaving.join()
        #expect(star.verdicts(0..<2) == [Self.closed(2), Self.closed(2)])
    }

    private func permutations(_ count: Int) -> [[Int]] {
        guard count > 0 else { return [[]] }
        return permutations(count - 1).flatMap { rest in
            (0...rest.count).map { rest[..<$0] + [count - 1] + rest[$0...] }
        }
    }
}

extension Star {
    /// The first failure among all that was sent to a rank which the test plays.
    func failureRead(by rank: Int) -> String? {
        var reader = ControlMessageReader()
        let socket = sockets[rank]![0]
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(socket, &bytes, bytes.count)
            guard count > 0 else { return nil }
            reader.append(bytes.prefix(count))
            while let message = try? reader.next() {
                if case .failure(let failure) = message { return failure.description }
            }
        }
    }
}
