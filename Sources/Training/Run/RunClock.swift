/// Measures steps and evaluations, and says from them how long the rest of a run takes.
public struct RunClock {
    /// Total and number of the steps measured; the first of a process is left out, since it touches everything for the first time.
    private var stepSeconds = 0.0
    private var steps = 0
    private var sawFirstStep = false
    private var firstStepSeconds = 0.0
    private var evaluationSeconds: Double?
    /// Steps since the last logged one.
    private var lap = Lap()

    /// Totals of some steps.
    struct Lap {
        var steps = 0
        var seconds = 0.0
        /// Of `seconds`, spent waiting for other ranks.
        var waiting = 0.0
        /// Of the communication thread, beside the others.
        var communication = 0.0

        /// Means of a step.
        var means: Lap {
            let count = Double(max(1, steps))
            return Lap(
                steps: steps,
                seconds: seconds / count,
                waiting: waiting / count,
                communication: communication / count
            )
        }
    }

    /// - Parameters:
    ///   - waiting: seconds of it spent waiting for other ranks.
    ///   - communication: seconds of the communication thread in the meantime.
    mutating func stepTook(_ seconds: Double, waiting: Double = 0, communication: Double = 0) {
        lap.steps += 1
        lap.seconds += seconds
        lap.waiting += waiting
        lap.communication += communication
        guard sawFirstStep else {
            sawFirstStep = true
            firstStepSeconds = seconds
            return
        }
        stepSeconds += seconds
        steps += 1
    }

    mutating func evaluationTook(_ seconds: Double) { evaluationSeconds = seconds }

    /// Means of the steps since this was last asked with `restart`.
    mutating func lapMeans(restart: Bool) -> Lap {
        defer { if restart { lap = Lap() } }
        return lap.means
    }

    /// Mean seconds of a step, nil before the first.
    var secondsPerStep: Double? {
        steps > 0 ? stepSeconds / Double(steps) : sawFirstStep ? firstStepSeconds : nil
    }

    /// Whether the measurement is worth telling: some steps, or one that took long.
    var isSettled: Bool { steps >= 5 || stepSeconds + firstStepSeconds >= 20 }

    /// Seconds for so many steps and evaluations.
    func seconds(steps: Int, evaluations: Int) -> Double? {
        secondsPerStep.map { $0 * Double(steps) + (evaluationSeconds ?? 0) * Double(evaluations) }
    }

    /// `45 s`, `12 min 5 s`, `3 h 20 min`, `4 days 7 h`, `214 days`.
    public static func text(seconds: Double) -> String {
        guard seconds < 1e12 else { return "more than 30,000 years" }
        let whole = Int(seconds.rounded(.up))
        let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86400)
        switch whole {
        case ..<60: return "\(whole) s"
        case ..<3600: return "\(minutes) min \(whole % 60) s"
        case ..<86400: return "\(hours) h \(minutes % 60) min"
        case ..<(10 * 86400): return "\(days) \(days == 1 ? "day" : "days") \(hours % 24) h"
        default: return "\(days) days"
        }
    }
}
