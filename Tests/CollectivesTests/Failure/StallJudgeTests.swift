import Testing

@testable import Collectives
@testable import TestSupport

/// Time is made up: a second passes when the test says so.
private struct Play {
    static let timeout = 60
    let start = ContinuousClock.now
    private(set) var seconds = 0
    var reports: [ProgressReport]
    var silent: Set<Int> = []
    var judge: StallJudge
    private(set) var failures: [String] = []
    /// When the first verdict came.
    private(set) var failedAfter: Int?

    init(_ worldSize: Int, _ activity: ProgressBoard.Activity = .waiting, own: Int = 0) {
        judge = StallJudge(members: testMembers(worldSize), own: own, timeout: .seconds(Self.timeout), now: start)
        reports = [ProgressReport](repeating: ProgressReport(activity: activity, stage: .computing), count: worldSize)
    }

    var now: StallJudge.Instant { start + .seconds(seconds) }

    /// Lets seconds pass, in each of which every rank that is not silent sends a heartbeat.
    mutating func pass(_ count: Int, _ change: (inout Play) -> Void = { _ in }) {
        for _ in 0..<count {
            seconds += 1
            change(&self)
            for rank in reports.indices where !silent.contains(rank) {
                judge.heard(reports[rank], from: rank, now: now)
            }
            guard failedAfter == nil, let failure = judge.verdict(now: now) else { continue }
            failures.append("\(failure)")
            failedAfter = seconds
        }
    }
}

@Suite("Stall judge")
struct StallJudgeTests {
    static let noSign = "no sign of life for 60 s (stopped, swapped out, or its network is cut)"

    @Test(
        "A rank from which nothing comes is lost after the timeout",
        arguments: [2, 3, 5],
        [
            ProgressBoard.Activity.preparing, .computing, .waiting, .saving,
        ]
    )
    func silence(worldSize: Int, activity: ProgressBoard.Activity) {
        var play = Play(worldSize, activity)
        func work(_ play: inout Play) { for rank in play.reports.indices { play.reports[rank].work += 1 } }
        play.pass(10, work)
        play.silent = [1]
        play.pass(59, work)
        #expect(play.failures == [])
        play.pass(1, work)
        #expect(play.failures == ["rank 1 (host1): \(Self.noSign)"])
    }

    @Test("A rank that never said anything is lost too")
    func neverHeard() {
        var play = Play(3, .saving)
        play.silent = [2]
        play.pass(60)
        #expect(play.failures == ["rank 2 (host2): \(Self.noSign)"] && play.failedAfter == 60)
    }

    @Test("Of several silent ranks the first is named")
    func firstSilent() {
        var play = Play(4, .saving)
        play.silent = [3]
        play.pass(5)
        play.silent = [1, 2, 3]
        play.pass(70)
        #expect(play.failures == ["rank 3 (host3): \(Self.noSign)"])
    }

    @Test("A step or an evaluation of an hour is no alarm, and nobody who waits for it is blamed")
    func longWork() {
        var play = Play(3)
        play.reports[0].activity = .computing
        play.pass(3600) { if $0.seconds % 50 == 0 { $0.reports[0].work += 1 } }
        #expect(play.failures == [])
    }

    @Test("A rank that computes without progress is lost, not those who wait for it")
    func standstill() {
        var play = Play(3)
        play.reports[1].activity = .computing
        play.pass(100) { $0.reports[1].work += 1 }
        #expect(play.failures == [])
        play.pass(60)
        #expect(play.failures == ["rank 1 (host1): no progress for 60 s while computing"] && play.failedAfter == 160)
    }

    @Test("Time spent waiting does not count against a rank that begins to compute")
    func afterWaiting() {
        var play = Play(2)
        play.reports[1].activity = .computing
        play.pass(300) { $0.reports[1].work += 1 }
        play.reports[0].activity = .computing
        play.pass(59) { $0.reports[1].work += 1 }
        #expect(play.failures == [])
        play.pass(10) { $0.reports[1].work += 1 }
        #expect(play.failures == ["rank 0 (host0): no progress for 60 s while computing"] && play.failedAfter == 361)
    }

    @Test("A rank whose preparation gets on may take as long as it likes, and so may those who wait for it")
    func preparing() {
        var play = Play(3)
        play.reports[2].activity = .preparing
        play.pass(3600) { if $0.seconds % 50 == 0 { $0.reports[2].work += 1 } }
        #expect(play.failures == [])
        // Then it waits as well, but not yet for long.
        play.reports[2].activity = .waiting
        play.pass(59)
        #expect(play.failures == [])
    }

    @Test("A preparation that stands still is named with its stage")
    func hangingPreparation() {
        var play = Play(3)
        play.reports[2].activity = .preparing
        play.reports[2].stage = .openingDataset
        play.pass(10) { $0.reports[2].work += 1 }
        play.pass(60)
        #expect(play.failures == ["rank 2 (host2): no progress for 60 s while opening the dataset"])
        #expect(play.failedAfter == 70)
    }

    @Test("A save may stand ten times as long, and not for ever")
    func saving() {
        var play = Play(2)
        play.reports[0].activity = .saving
        play.reports[0].stage = .savingCheckpoint
        play.pass(600)
        #expect(play.failures == [])
        play.pass(1)
        #expect(play.failures == ["rank 0 (host0): no progress for 600 s while saving a checkpoint"])
        #expect(StallJudge.savingLimit(timeout: .seconds(3)) == .seconds(600))
        #expect(StallJudge.savingLimit(timeout: .seconds(120)) == .seconds(1200))
    }

    @Test("Bytes that come are a sign of life of the rank before, while its heartbeats wait behind them")
    func starvedHeartbeats() {
        // To rank 0 of two, and to the other one.
        for own in 0..<2 {
            var play = Play(2, own: own)
            play.silent = [1 - own]
            play.pass(300) { $0.reports[own].arrived += 1000 }
            #expect(play.failures == [])
            play.pass(59)
            #expect(play.failures == [])
            play.pass(1)
            #expect(play.failures == ["rank \(1 - own) (host\(1 - own)): \(Self.noSign)"])
        }
    }

    @Test("What the next rank of the ring says has come counts for a rank that is not heard")
    func relayed() {
        var play = Play(4)
        play.silent = [1]
        play.pass(300) { $0.reports[2].arrived += 1000 }
        #expect(play.failures == [])
        // Its own link carries data, and that says nothing of rank 1.
        play.pass(60) { $0.reports[0].arrived += 1000 }
        #expect(play.failures == ["rank 1 (host1): \(Self.noSign)"] && play.failedAfter == 360)
    }

    @Test("Where data come, but nobody can say if from that rank, it has more time; else the time that it always had")
    func mayWait() {
        var play = Play(4)
        play.silent = [1, 2, 3]
        play.pass(74) { $0.reports[0].arrived += 1000 }
        #expect(play.failures == [])
        play.pass(1) { $0.reports[0].arrived += 1000 }
        #expect(play.failures.count == 1 && play.failedAfter == 75)
        var cut = Play(4)
        cut.silent = [1, 2, 3]
        cut.pass(60)
        #expect(cut.failedAfter == 60)
        cut = Play(4)
        cut.silent = [1, 2, 3]
        cut.pass(5) { $0.reports[0].arrived += 1000 }
        cut.pass(70)
        // What came was from rank 3.
        #expect(cut.failures == ["rank 3 (host3): \(Self.noSign)"] && cut.failedAfter == 65)
        // A rank that wonders why its neighbor left does not wait.
        var worker = Play(4, own: 3)
        worker.silent = [0, 1, 2]
        worker.pass(60) { $0.reports[3].arrived += 1000 }
        #expect(worker.judge.silence(of: 0..<1, now: worker.now) == nil)
        #expect(worker.judge.silence(of: 0..<1, strictly: true, now: worker.now)?.culprit == "rank 0 (host0)")
    }

    @Test("A message that takes longer than the timeout is no standstill while its bytes come")
    func longMessage() {
        var play = Play(3)
        play.reports = Self.cutRing(3, cut: 1, handedOver: true)
        play.pass(300) { $0.reports[2].arrived += 1 }
        #expect(play.failures == [])
    }

    @Test(
        "A stopped rank is lost by its silence, whatever it was doing",
        arguments: [
            ProgressBoard.Activity.computing, .waiting,
        ]
    )
    func stoppedWhile(activity: ProgressBoard.Activity) {
        var play = Play(3)
        play.reports[1].activity = activity
        play.pass(20)
        // Nothing has moved since second 1, so the others have waited for longer than the silence lasts.
        play.silent = [1]
        play.pass(80)
        #expect(play.failures == ["rank 1 (host1): \(Self.noSign)"] && play.failedAfter == 80)
    }

    /// A ring in which rank `cut` has posted a message that does not arrive, and all behind it wait.
    private static func cutRing(_ worldSize: Int, cut: Int, handedOver: Bool) -> [ProgressReport] {
        (0..<worldSize).map { rank in
            var report = ProgressReport(
                activity: .waiting,
                work: 9,
                operations: 3,
                offered: 40,
                sent: 40,
                wanted: 41,
                received: 40
            )
            if rank == cut {
                report.offered = 41
                // Sockets take what they do not deliver; MPI keeps it until the other side has it.
                if handedOver { report.sent = 41 }
            }
            return report
        }
    }

    @Test(
        "When all wait and nothing moves it is the link at both ends of which a message is posted",
        arguments: [2, 3, 5],
        [
            true, false,
        ]
    )
    func link(worldSize: Int, handedOver: Bool) {
        for cut in 0..<worldSize {
            var play = Play(worldSize)
            play.pass(5)
            play.reports = Self.cutRing(worldSize, cut: cut, handedOver: handedOver)
            play.pass(60)
            #expect(play.failures == [])
            play.pass(1)
            let next = (cut + 1) % worldSize
            #expect(
                play.failures == [
                    "the link from rank \(cut) (host\(cut)) to rank \(next) (host\(next)): nothing arrived for 60 s"
                ]
            )
        }
    }

    @Test("A partition that is shorter than the timeout is no alarm; a message anywhere begins the time anew")
    func shortPartition() {
        var play = Play(3)
        for _ in 0..<5 {
            play.reports = Self.cutRing(3, cut: 1, handedOver: true)
            play.pass(59)
            play.reports = [ProgressReport](repeating: ProgressReport(activity: .waiting, received: 41), count: 3)
            play.pass(1)
        }
        #expect(play.failures == [])
    }

    @Test("On a link with long round trips, packets that are sent again have four of them to arrive")
    func slowLink() {
        var play = Play(3)
        play.reports = Self.cutRing(3, cut: 1, handedOver: true)
        play.reports[1].roundTrip = 2000
        play.pass(68)
        #expect(play.failures == [])
        play.pass(10)
        #expect(play.failures.count == 1 && play.failedAfter == 69)
    }

    @Test("A measured round trip is no progress")
    func roundTrips() {
        var play = Play(3)
        play.reports = Self.cutRing(3, cut: 1, handedOver: true)
        play.pass(70) { $0.reports[1].roundTrip = UInt64($0.seconds % 2) }
        #expect(play.failures.count == 1)
    }

    @Test("When a link breaks, a rank whose reports stopped before is named, though its data still came")
    func unreported() {
        var play = Play(4)
        play.silent = [2]
        func data(_ play: inout Play) { play.reports[3].arrived += 1000 }
        play.pass(59, data)
        #expect(play.judge.unreported(now: play.now) == nil)
        play.pass(2, data)
        #expect(play.failures == [])
        #expect(play.judge.unreported(now: play.now).map { "\($0)" } == "rank 2 (host2): \(Self.noSign)")
    }

    @Test("A link is not blamed while somebody still computes")
    func waitingForWork() {
        var play = Play(3)
        play.reports = Self.cutRing(3, cut: 1, handedOver: true)
        play.reports[0].activity = .computing
        play.pass(600) { $0.reports[0].work += 1 }
        #expect(play.failures == [])
    }

    @Test("Ranks in different collectives are told who is where")
    func outOfStep() {
        var play = Play(3)
        for (rank, operations) in [12, 12, 11].enumerated() { play.reports[rank].operations = UInt64(operations) }
        play.pass(61)
        #expect(
            play.failures == [
                "the ranks are out of step: nothing moved for 60 s; waits in operation 11: rank 2 (host2); "
                    + "waits in operation 12: rank 0 (host0), rank 1 (host1)"
            ]
        )
    }

    @Test("A message that nobody wants yet is no broken link")
    func unwanted() {
        var play = Play(2)
        play.reports[0] = ProgressReport(activity: .waiting, operations: 2, offered: 5, sent: 5, wanted: 5, received: 4)
        play.reports[1] = ProgressReport(activity: .waiting, operations: 1, offered: 4, sent: 4, wanted: 4, received: 4)
        play.pass(61)
        #expect(play.failures.count == 1 && play.failures[0].hasPrefix("the ranks are out of step"), "\(play.failures)")
    }

    @Test("A large job is told in few words")
    func manyOutOfStep() {
        var play = Play(16)
        play.reports[5].operations = 1
        play.pass(61)
        #expect(
            play.failures == [
                "the ranks are out of step: nothing moved for 60 s; waits in operation 1: rank 5 (host5); waits in "
                    + "operation 0: rank 0 (host0), rank 1 (host1), rank 2 (host2), rank 3 (host3), 11 more"
            ]
        )
    }

    @Test("When all wait in the same collective and nothing is known of messages, the network is named")
    func unknown() {
        var play = Play(4)
        for rank in 0..<4 { play.reports[rank].operations = 7 }
        play.pass(61)
        #expect(
            play.failures == [
                "the network between the ranks: all wait in operation 7, and nothing arrived for 60 s"
            ]
        )
    }

    @Test("A rank that has left is not missed, but who still waits for it is told")
    func left() {
        var play = Play(3, .saving)
        play.pass(1)
        play.judge.left(1, now: play.now)
        play.silent = [1]
        play.pass(500)
        #expect(play.failures == [])
        for rank in [0, 2] {
            play.reports[rank].activity = .waiting
            play.reports[rank].operations = 1
        }
        play.pass(61)
        #expect(
            play.failures == [
                "the ranks are out of step: nothing moved for 60 s; left after operation 0: rank 1 (host1); "
                    + "waits in operation 1: rank 0 (host0), rank 2 (host2)"
            ]
        )
    }

    @Test("Those who waited for the last save of a rank that has left are not stalled in that moment")
    func leftAfterSaving() {
        var play = Play(3)
        play.reports[0].activity = .saving
        play.pass(100)
        play.judge.left(0, now: play.now)
        play.silent = [0]
        play.pass(59)
        #expect(play.failures == [])
        play.pass(2)
        #expect(play.failures.count == 1)
    }

    @Test("Nobody is blamed for the time in which the judge itself was stopped")
    func paused() {
        var play = Play(2, .computing)
        play.pass(10)
        play.pass(1) {
            $0.silent = [0, 1]
            $0.judge.paused(for: .seconds(1), now: $0.now)
        }
        for _ in 0..<20 { play.pass(10) { $0.judge.paused(for: .seconds(1), now: $0.now) } }
        #expect(play.failures == [])
        play.pass(60)
        #expect(play.failures.count == 1)
    }

    @Test("The timeout is said as it was given")
    func seconds() {
        #expect(Duration.seconds(60).inSeconds == "60 s")
        #expect(Duration.milliseconds(500).inSeconds == "0.5 s")
    }
}
