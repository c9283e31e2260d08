import Foundation
import Platform
import Testing

@testable import Collectives
@testable import TestSupport

/// A ring over sockets in which what one rank sends is lost.
private final class CutRing: @unchecked Sendable {
    enum Collective: CaseIterable {
        case sum, gathering, broadcast
    }

    let worldSize: Int
    let boards: [ProgressBoard]
    private let transports: [TCPTransport]
    /// Keeps the lost connection open.
    private let looseEnds: [Int32]

    init(_ worldSize: Int, cut: Int) {
        self.worldSize = worldSize
        boards = (0..<worldSize).map { _ in ProgressBoard() }
        var pairs = (0..<worldSize).map { _ in Communicator.socketPair() }
        let other = Communicator.socketPair()
        looseEnds = [pairs[cut].1, other.0]
        pairs[cut].1 = other.1
        transports = (0..<worldSize).map { rank in
            TCPTransport(
                next: pairs[rank].0,
                previous: pairs[(rank + worldSize - 1) % worldSize].1,
                rank: rank,
                worldSize: worldSize
            )
        }
    }

    deinit { for end in looseEnds { close(end) } }

    /// Returns when it has been aborted.
    private func run(_ collective: Collective, _ rank: Int) throws {
        let label = MessageLabel(step: 0, operation: 0, index: 0)
        let count = 8 * Stripes.length
        let floats = UnsafeMutablePointer<Float>.allocate(capacity: count)
        let scratch = UnsafeMutablePointer<Float>.allocate(capacity: RingAllReduce.window * Stripes.length)
        floats.initialize(repeating: 0, count: count)
        scratch.initialize(repeating: 0, count: RingAllReduce.window * Stripes.length)
        defer {
            floats.deallocate()
            scratch.deallocate()
        }
        let bytes = UnsafeMutableRawBufferPointer(start: floats, count: 4 * count)
        let ring = ByteRing(
            transport: transports[rank],
            rank: rank,
            worldSize: worldSize,
            label: label,
            board: boards[rank]
        )
        boards[rank].activity = .waiting
        switch collective {
        case .sum:
            try RingAllReduce(
                floats,
                range: 0..<count,
                rank: rank,
                worldSize: worldSize,
                transport: transports[rank],
                scratch: scratch,
                label: label
            ).run(board: boards[rank])
        case .gathering: try ring.allGather(bytes, blockSize: bytes.count / worldSize)
        case .broadcast: try ring.broadcast(bytes, root: 0)
        }
    }

    /// Lets all ranks run until the judge names this one, or another in the end.
    func verdict(_ collective: Collective, expecting expected: String) -> String? {
        let threads = (0..<worldSize).map { rank in SystemThread { [self] in try? run(collective, rank) } }
        // A second is made up whenever the real ranks have had a moment, so what still moves begins the time anew. On
        // a busy machine a moment may be too short, but a wrong verdict does not last unless the judge is wrong.
        let start = ContinuousClock.now
        var verdict: String?
        for _ in 0..<50 where verdict != expected {
            var judge = StallJudge(members: testMembers(worldSize), own: 0, timeout: .seconds(60), now: start)
            verdict = nil
            for second in 1..<500 where verdict == nil {
                usleep(1000)
                let now = start + .seconds(second)
                for rank in 0..<worldSize { judge.heard(boards[rank].report, from: rank, now: now) }
                verdict = judge.verdict(now: now)?.description
            }
        }
        for transport in transports { transport.abort() }
        for thread in threads { thread.join() }
        return verdict
    }
}

@Suite("Cut rings", .timeLimit(.minutes(1)))
struct CutRingTests {
    @Test("Whatever collective is under way, the link that carries nothing is named", arguments: [2, 3, 4])
    func names(worldSize: Int) {
        for collective in CutRing.Collective.allCases {
            for cut in 0..<worldSize {
                // The broadcast ends before rank 0.
                if collective == .broadcast && cut == worldSize - 1 { continue }
                let next = (cut + 1) % worldSize
                let expected =
                    "the link from rank \(cut) (host\(cut)) to rank \(next) (host\(next)): nothing arrived for 60 s"
                let verdict = CutRing(worldSize, cut: cut).verdict(collective, expecting: expected)
                #expect(verdict == expected, "\(collective) of \(worldSize)")
            }
        }
    }
}
