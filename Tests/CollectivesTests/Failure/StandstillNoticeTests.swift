import Testing

@testable import Collectives

@Suite("What a rank says of its own standstill")
struct StandstillNoticeTests {
    /// Seconds and lines, where a second passes between two looks.
    private static func lines(
        _ activity: ProgressBoard.Activity,
        isAlone: Bool,
        seconds: Int,
        _ change: (Int, inout ProgressReport) -> Void = { _, _ in }
    ) -> [String] {
        let start = ContinuousClock.now
        var notice = StandstillNotice(timeout: .seconds(60), isAlone: isAlone, now: start)
        var report = ProgressReport(activity: activity, stage: .savingCheckpoint)
        return (0...seconds).compactMap { second in
            change(second, &report)
            return notice.line(report, now: start + .seconds(second)).map { "\(second): \($0)" }
        }
    }

    @Test("A save that stands in a call says so more and more seldom, and how long the others wait")
    func saving() {
        let text = "s while saving a checkpoint; the other ranks wait for it, for 600 s at most"
        #expect(
            Self.lines(.saving, isAlone: false, seconds: 300)
                == [
                    "60: no progress for 60 \(text)", "120: no progress for 120 \(text)",
                    "240: no progress for 240 \(text)",
                ]
        )
    }

    @Test("A preparation says so before the job ends because of it")
    func preparing() {
        #expect(
            Self.lines(.preparing, isAlone: false, seconds: 59)
                == ["30: no progress for 30 s while saving a checkpoint; at 60 s the job ends"]
        )
    }

    @Test("A rank alone says so whatever it does, and nobody is to be told of ranks that wait")
    func alone() {
        let expected = ["60: no progress for 60 s while saving a checkpoint"]
        #expect(Self.lines(.computing, isAlone: true, seconds: 100) == expected)
        #expect(Self.lines(.waiting, isAlone: false, seconds: 1000) == [])
        #expect(Self.lines(.computing, isAlone: false, seconds: 1000) == [])
    }

    @Test("What gets on is not mentioned")
    func moving() {
        #expect(
            Self.lines(.saving, isAlone: false, seconds: 1000) { second, report in report.work = UInt64(second / 59) }
                == []
        )
    }
}
