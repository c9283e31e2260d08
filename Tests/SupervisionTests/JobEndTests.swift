import Platform
import Testing

@testable import Supervision

@Suite("Who is to blame, and what the launcher leaves with")
struct JobEndTests {
    private typealias End = ChildProcess.End

    /// Ranks in the order of their ends: an exit code, or minus a signal; those after `endedFrom` the launcher ended.
    private func job(_ codes: [Int32], endedFrom: Int = .max, wasSignalled: Bool = false) -> JobEnd {
        let ranks = codes.enumerated().map { rank, code in
            JobEnd.Rank(
                rank: rank,
                end: code < 0 ? .killed(signal: -code) : .exited(code),
                wasEnded: rank >= endedFrom
            )
        }
        return JobEnd(ranks: ranks, wasSignalled: wasSignalled)
    }

    @Test(
        "The exit code is that of the culprit",
        arguments: [
            ([0, 0], 0, nil), ([75, 75], 75, nil), ([0, 75], 75, nil), ([3, 4], 3, 0), ([0, 4, 3], 4, 1),
            ([69, 3, 69], 3, 1), ([69, 69], 69, 0), ([69, -9], 137, 1), ([75, -6], 134, 1), ([-9, -15, 69], 137, 0),
            ([69, 75], 69, 0), ([64, 69], 64, 0),
        ] as [([Int32], Int32, Int?)]
    )
    func exitCode(codes: [Int32], code: Int32, culprit: Int?) {
        #expect(job(codes).exitCode == code)
        #expect(job(codes).culprit?.rank == culprit)
    }

    @Test("What the launcher ended is no cause")
    func ended() {
        #expect(job([69, -15, -9], endedFrom: 1).exitCode == 69)
        #expect(job([0, -15, -9], endedFrom: 1).exitCode == 143)
    }

    @Test(
        "Another start is for failures that may not come again",
        arguments: [
            ([0], false), ([75], false), ([64], false), ([65], false), ([69, 65], false), ([69], true), ([74], true),
            ([1], true), ([-9, 69], true),
        ] as [([Int32], Bool)]
    )
    func again(codes: [Int32], expected: Bool) {
        #expect(job(codes).mayBeTriedAgain == expected)
        #expect(!job(codes, wasSignalled: true).mayBeTriedAgain)
    }

    @Test("Ends are told in words")
    func words() {
        #expect(job([69, -9]).summary == "rank 1 was killed by signal 9")
        #expect(job([65]).summary == "rank 0 left with code 65")
        #expect(job([75, 75]).summary == "stopped by a signal, after saving")
    }
}
