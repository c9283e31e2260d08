/// Decides when a rank says of itself that it stands still, so that nobody waits in silence for it. It has no clock of its own.
struct StandstillNotice {
    typealias Instant = ContinuousClock.Instant

    private let timeout: Duration
    /// Whether nobody else judges it.
    private let isAlone: Bool
    private var report = ProgressReport()
    private var since: Instant
    private var next: Duration

    init(timeout: Duration, isAlone: Bool, now: Instant) {
        self.timeout = timeout
        self.isAlone = isAlone
        since = now
        next = timeout / 2
    }

    /// - Returns: a line, at first after half of the timeout or the timeout and then more and more seldom.
    mutating func line(_ report: ProgressReport, now: Instant) -> String? {
        guard report == self.report else {
            self.report = report
            since = now
            next = first(report.activity)
            return nil
        }
        let duration = now - since
        guard duration >= next, let others = others(report.activity) else { return nil }
        // From then on the verdict says it.
        next = isAlone || report.activity != .preparing ? next * 2 : .seconds(Int64.max)
        // Tenths where they say something.
        let unit = duration < .seconds(10) ? Duration.milliseconds(100) : .seconds(1)
        let shown = unit * Int((duration / unit).rounded())
        return "no progress for \(shown.inSeconds) while \(report.stage.text)\(others)"
    }

    private func first(_ activity: ProgressBoard.Activity) -> Duration {
        activity == .preparing ? timeout / 2 : timeout
    }

    /// What becomes of the job; nil where nothing is to be said.
    private func others(_ activity: ProgressBoard.Activity) -> String? {
        switch activity {
        case .waiting: nil
        case _ where isAlone: ""
        case .preparing: "; at \(timeout.inSeconds) the job ends"
        case .computing: nil
        case .saving:
            "; the other ranks wait for it, for \(StallJudge.savingLimit(timeout: timeout).inSeconds) at most"
        }
    }
}
