import Formats
import Platform
import Training

/// Finds the rank that the others wait for, and the cause, from the steps of a job's trace.
///
/// The sum of the gradients can finish only after the last rank's gradient is complete. A rank's lateness is the time
/// of its gradient minus the mean time of the others' gradients. The time from the last gradient to the sum is the
/// network's.
package struct StragglerReport {
    /// A rank's means over the steps, in milliseconds.
    struct Rank {
        var rank: Int
        var host: String
        var sequences: Int
        /// Time per step without waits for other ranks.
        var working: Double
        var waiting: Double
        /// From the first rank's start of a step to this rank's start.
        var startDelay: Double
        /// How much later than the mean of the others this rank's gradient is complete.
        var late: Double
        /// Working time in which the step's thread had no CPU.
        var withoutProcessor: Double
        /// The first worker's time by part.
        var parts: [String: Double]
        /// The number of steps in which this rank's gradient was complete last.
        var timesLast: Int
    }

    /// What the job loses time to.
    package enum Cause: String {
        /// A rank computes longer than the others.
        case compute
        /// A rank waits for a CPU or a disk, or is delayed by work between two steps.
        case waiting
        /// The sums take long, and no rank is late.
        case network
        /// Nothing takes a significant share.
        case none
    }

    let ranks: [Rank]
    /// Milliseconds per step.
    let step: Double
    /// Milliseconds from the last rank's complete gradient to the sum.
    let sum: Double
    /// The error of the aligned clocks, in milliseconds.
    let uncertainty: Double
    let steps: Int
    /// The rank with the largest mean lateness; nil for a job of one rank.
    let latest: Rank?
    /// Its lateness as a share of a step.
    let lateShare: Double

    /// Smaller shares of a step are not reported as a cause.
    private static let minimumShare = 0.05

    init(_ trace: JobTrace) {
        let profiles = trace.profiles
        steps = profiles[0].steps.count
        let count = Double(max(1, steps))
        // Each step of all ranks, on rank 0's clock.
        let all = (0..<steps).map { index in
            profiles.map { profile in
                let step = profile.steps[index]
                func moment(_ time: Int) -> Double { Double(trace.toMainClock(time, ofRank: profile.rank)) / 1e6 }
                let summed = step.waits.first?.upperBound ?? step.end
                return (
                    start: moment(step.start), ready: moment(step.ready), summed: moment(summed), end: moment(step.end)
                )
            }
        }
        func mean(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count) }
        ranks = profiles.map { profile in
            let rank = profile.rank
            let others = profiles.indices.filter { $0 != rank }
            return Rank(
                rank: rank,
                host: profile.host,
                sequences: profile.sequences,
                working: mean(profile.steps.map { Double($0.working) / 1e6 }),
                waiting: mean(profile.steps.map { Double($0.waiting) / 1e6 }),
                startDelay: mean(all.map { step in step[rank].start - step.map(\.start).min()! }),
                late: mean(all.map { step in step[rank].ready - mean(others.map { step[$0].ready }) }),
                withoutProcessor: mean(profile.steps.map { max(0, Double($0.working - $0.processorTime) / 1e6) }),
                parts: profile.parts.mapValues { Double($0) / 1e6 / count },
                timesLast: others.isEmpty
                    ? 0 : all.count { step in others.allSatisfy { step[$0].ready < step[rank].ready } }
            )
        }
        step = mean(all.map { step in step.map(\.end).max()! - step.map(\.start).min()! })
        sum = mean(all.map { step in max(0, step.map(\.summed).max()! - step.map(\.ready).max()!) })
        uncertainty = trace.offsets.compactMap { $0?.uncertainty }.max().map { $0 / 1e6 } ?? 0
        latest = ranks.count > 1 ? ranks.max { $0.late < $1.late } : nil
        lateShare = step > 0 ? max(0, latest?.late ?? 0) / step : 0
    }

    /// What the steps lose time to, if it takes at least `minimumShare` of a step.
    package var cause: Cause {
        guard let latest, step > 0 else { return .none }
        guard max(latest.late, sum) / step >= Self.minimumShare else { return .none }
        guard latest.late >= sum else { return .network }
        return startsLate(latest) || lacksProcessor(latest) ? .waiting : .compute
    }

    /// The rank that the others wait for; nil if there is none.
    package var straggler: Int? { cause == .compute || cause == .waiting ? latest?.rank : nil }

    private func meanOfOthers(_ rank: Rank, _ value: (Rank) -> Double) -> Double {
        let others = ranks.filter { $0.rank != rank.rank }
        return others.reduce(0) { $0 + value($1) } / Double(max(1, others.count))
    }

    /// Whether more than half of the rank's lateness exists at the start of a step.
    private func startsLate(_ rank: Rank) -> Bool {
        rank.startDelay - meanOfOthers(rank, \.startDelay) > rank.late / 2
    }

    private func lacksProcessor(_ rank: Rank) -> Bool {
        rank.withoutProcessor - meanOfOthers(rank, \.withoutProcessor) > rank.late / 2
    }

    // MARK: Text

    /// A table of the ranks and the verdict, for the terminal.
    package var lines: [String] {
        guard ranks.count > 1 else {
            return ["this job has one rank, so there are no waits between ranks"] + partLines(ranks[0])
        }
        let heading = TextTable.line([
            ("rank", 4), ("  host", -18), ("sequences", 10), ("working ms", 12), ("without CPU ms", 16),
            ("waiting ms", 12),
            ("last", 6),
        ])
        return [
            "an iteration takes \(milliseconds(step)) ms, mean of \(steps); clocks are aligned to \(Numbers.fixed(uncertainty, 3)) ms",
            heading,
        ]
            + ranks.map { rank in
                TextTable.line([
                    ("\(rank.rank)", 4), ("  \(rank.host)", -18), ("\(rank.sequences)", 10),
                    (milliseconds(rank.working), 12),
                    (milliseconds(rank.withoutProcessor), 16), (milliseconds(rank.waiting), 12),
                    ("\(rank.timesLast)x", 6),
                ])
            }
            + [
                "sums: \(milliseconds(sum)) ms after the last rank is ready (\(percent(sum / step)) of an iteration)",
                verdict,
            ]
    }

    private func milliseconds(_ value: Double) -> String { Numbers.fixed(value, 2) }
    private func percent(_ share: Double) -> String { "\(Numbers.fixed(share * 100, 1))%" }

    /// One or two sentences.
    var verdict: String {
        guard let latest else { return "" }
        let name = "rank \(latest.rank) (\(latest.host))"
        let waits = "the others wait \(milliseconds(latest.late)) ms for it, \(percent(lateShare)) of an iteration"
        switch cause {
        case .none:
            return "no straggler: no rank is later than the others by more than \(percent(lateShare)) of an iteration"
        case .network:
            return """
                network: sums take \(percent(sum / step)) of an iteration after every rank is ready, more than any \
                rank is late. To measure every link, run ddp-train doctor the way the job was started; to compare ways \
                to sum, run ddp-train bench-comm
                """
        case .waiting where startsLate(latest):
            return """
                straggler: \(name); \(waits). Cause: waiting. It starts its iterations \
                \(milliseconds(latest.startDelay)) ms after the first rank, because of work between iterations such as \
                evaluating, saving or logging
                """
        case .waiting:
            return """
                straggler: \(name); \(waits). Cause: waiting. Its thread had no CPU for \
                \(milliseconds(latest.withoutProcessor)) of \(milliseconds(latest.working)) ms: other programs run on \
                that machine, there are more threads than CPUs, or memory is swapped out
                """
        case .compute:
            let ratio = latest.working / max(1e-9, meanOfOthers(latest, \.working))
            return """
                straggler: \(name); \(waits). Cause: compute. It computes \(Numbers.fixed(ratio, 2)) times as long as \
                the others\(unevenShare(latest)). The parts that take longer: \(largestExcess(latest))
                """
        }
    }

    private func unevenShare(_ rank: Rank) -> String {
        let others = meanOfOthers(rank) { Double($0.sequences) }
        guard Double(rank.sequences) > others else { return "" }
        return ", because it has \(rank.sequences) sequences per iteration and they have \(Numbers.short(others))"
    }

    private func largestExcess(_ rank: Rank) -> String {
        let excess = rank.parts.map { name, time in (name, time - meanOfOthers(rank) { $0.parts[name] ?? 0 }) }
        return excess.filter { $0.1 > 0 }.sorted { ($0.1, $1.0) > ($1.1, $0.0) }.prefix(3)
            .map { "\($0.0) +\(milliseconds($0.1)) ms" }.joined(separator: ", ")
    }

    private func partLines(_ rank: Rank) -> [String] {
        ["an iteration takes \(milliseconds(step)) ms, mean of \(steps); the first worker's time by part:"]
            + rank.parts.filter { $0.value >= 0.005 }.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map {
                TextTable.line([("  \($0.key)", -26), (milliseconds($0.value), 10), (" ms", 3)])
            }
    }

    // MARK: JSON

    /// A JSON object: means in milliseconds, cause, straggler (a rank or null), verdict, and `ranks`.
    package var json: JSONValue {
        .object([
            .init("steps", .integer(steps)), .init("step_ms", .number(step)), .init("sum_ms", .number(sum)),
            .init("clock_uncertainty_ms", .number(uncertainty)), .init("cause", .string(cause.rawValue)),
            .init("straggler", straggler.map { .integer($0) } ?? .null), .init("late_share", .number(lateShare)),
            .init("verdict", .string(verdict)),
            .init(
                "ranks",
                .array(
                    ranks.map { rank in
                        .object([
                            .init("rank", .integer(rank.rank)), .init("host", .string(rank.host)),
                            .init("sequences", .integer(rank.sequences)), .init("working_ms", .number(rank.working)),
                            .init("without_processor_ms", .number(rank.withoutProcessor)),
                            .init("waiting_ms", .number(rank.waiting)), .init("begins_ms", .number(rank.startDelay)),
                            .init("late_ms", .number(rank.late)), .init("times_last", .integer(rank.timesLast)),
                            .init(
                                "parts_ms",
                                .object(rank.parts.sorted { $0.key < $1.key }.map { .init($0.key, .number($0.value)) })
                            ),
                        ])
                    }
                )
            ),
        ])
    }
}
