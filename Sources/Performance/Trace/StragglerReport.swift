import Formats
import Platform
import Training

/// What the steps of a job's trace say: which rank the others wait for, and why.
///
/// A step's gradients can be summed when the last rank has its own ready. That rank is late by how long after the others' mean it
/// is ready; what the sum then takes is the network's, or the transport's, for all alike.
package struct StragglerReport {
    /// Means over the steps, in milliseconds.
    struct Rank {
        var rank: Int
        var host: String
        var sequences: Int
        /// From the step's beginning to its end without waiting for other ranks.
        var working: Double
        var waiting: Double
        /// After the beginning of the rank that begins first.
        var startDelay: Double
        /// After the mean of the other ranks.
        var late: Double
        /// Working time for which the step's thread had no processor.
        var withoutProcessor: Double
        /// Of the first worker, by part.
        var parts: [String: Double]
        /// Steps in which it was the last to be ready.
        var timesLast: Int
    }

    /// What a rank is late for, or what the job waits for in its place.
    package enum Cause: String {
        /// It computes longer.
        case compute
        /// It waits for something else than ranks: for a processor, a disk, or the work between two steps.
        case waiting
        /// Nobody is late; sums take long.
        case network
        /// Nothing worth a word.
        case none
    }

    let ranks: [Rank]
    /// Milliseconds of a step.
    let step: Double
    /// Milliseconds from the last rank's gradient being ready until the sum is there.
    let sum: Double
    /// Milliseconds by which clocks may be wrong.
    let uncertainty: Double
    let steps: Int
    /// The rank that is late most, over all steps; nil of one rank.
    let latest: Rank?
    /// Of a step that is lost to it.
    let lateShare: Double

    /// Less of a step is not worth a word.
    private static let minimumShare = 0.05

    init(_ trace: JobTrace) {
        let profiles = trace.profiles
        steps = profiles[0].steps.count
        let count = Double(max(1, steps))
        // The same step of every rank, on one clock.
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

    /// What steps lose their time to, of what makes up a noteworthy share of them.
    package var cause: Cause {
        guard let latest, step > 0 else { return .none }
        guard max(latest.late, sum) / step >= Self.minimumShare else { return .none }
        guard latest.late >= sum else { return .network }
        return startsLate(latest) || lacksProcessor(latest) ? .waiting : .compute
    }

    /// The rank that the others wait for; nil where there is none.
    package var straggler: Int? { cause == .compute || cause == .waiting ? latest?.rank : nil }

    private func meanOfOthers(_ rank: Rank, _ value: (Rank) -> Double) -> Double {
        let others = ranks.filter { $0.rank != rank.rank }
        return others.reduce(0) { $0 + value($1) } / Double(max(1, others.count))
    }

    /// Whether most of its delay is there when a step begins.
    private func startsLate(_ rank: Rank) -> Bool {
        rank.startDelay - meanOfOthers(rank, \.startDelay) > rank.late / 2
    }

    private func lacksProcessor(_ rank: Rank) -> Bool {
        rank.withoutProcessor - meanOfOthers(rank, \.withoutProcessor) > rank.late / 2
    }

    // MARK: For people

    /// For a terminal: a table of the ranks and what it means, in milliseconds.
    package var lines: [String] {
        guard ranks.count > 1 else { return ["one rank: there is nobody to wait for"] + partLines(ranks[0]) }
        let heading = TextTable.line([
            ("rank", 4), ("  host", -18), ("sequences", 10), ("working ms", 12), ("without CPU ms", 16),
            ("waiting ms", 12),
            ("last", 6),
        ])
        return [
            "an iteration takes \(milliseconds(step)) ms, mean of \(steps); clocks are laid over each other to \(Numbers.fixed(uncertainty, 3)) ms",
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

    /// One sentence or two.
    var verdict: String {
        guard let latest else { return "" }
        let name = "rank \(latest.rank) (\(latest.host))"
        let waits = "the others wait \(milliseconds(latest.late)) ms, \(percent(lateShare)) of an iteration, for it"
        switch cause {
        case .none:
            return "no straggler: ranks are ready within \(percent(lateShare)) of an iteration of each other"
        case .network:
            return """
                network: sums take \(percent(sum / step)) of an iteration once every rank is ready, and no rank is late by as much; \
                ddp-train doctor, started as the job was, measures every edge, and ddp-train bench-comm the ways to sum
                """
        case .waiting where startsLate(latest):
            return """
                straggler: \(name); \(waits). Cause: waiting. It begins its iterations \(milliseconds(latest.startDelay)) ms after the \
                first, with what it does between them: evaluating, saving, logging
                """
        case .waiting:
            return """
                straggler: \(name); \(waits). Cause: waiting. Its thread had no processor for \
                \(milliseconds(latest.withoutProcessor)) of \(milliseconds(latest.working)) ms: other programs run there, it has \
                more threads than processors, or its memory is swapped out
                """
        case .compute:
            let ratio = latest.working / max(1e-9, meanOfOthers(latest, \.working))
            return """
                straggler: \(name); \(waits). Cause: compute. It computes \(Numbers.fixed(ratio, 2)) times as long as the others\
                \(unevenShare(latest)); most of it: \(largestExcess(latest))
                """
        }
    }

    private func unevenShare(_ rank: Rank) -> String {
        let others = meanOfOthers(rank) { Double($0.sequences) }
        guard Double(rank.sequences) > others else { return "" }
        return ", with \(rank.sequences) sequences of an iteration where they have \(Numbers.short(others))"
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

    // MARK: For programs

    /// One object: means in milliseconds, cause, straggler (a rank or null), verdict, and `ranks`.
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
