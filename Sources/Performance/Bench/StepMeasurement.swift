import Compute
import Training
import Transformer

/// What was measured of whole training steps.
package struct StepMeasurement: Sendable {
    /// What was trained.
    package let shape: BenchShape
    /// Steps before the measured ones.
    package let warmUp: Int
    /// Of each measured step.
    package let seconds: [Double]
    /// Floating-point operations a second of this machine's matrix products, in the same run.
    package let peak: Double
    /// In bytes; nil where the system does not say.
    package let peakMemory: Int?
    /// Of some more steps after the measured ones.
    package let profile: PartTimes

    /// Of `seconds`.
    package var spread: Spread { Spread(seconds) }

    /// By the median step.
    package var tokensPerSecond: Double { Double(shape.training.tokensPerIteration) / spread.median }

    /// Floating-point operations a second by nanoGPT's count (see `GPTConfiguration.operationsPerToken`).
    package var countedOperations: Double { tokensPerSecond * shape.model.operationsPerToken }

    /// `countedOperations` by `peak`, 0 to 1.
    package var shareOfPeak: Double { countedOperations / peak }
}

/// The workers' time by part.
package struct PartTimes: Sendable {
    /// Steps that were recorded, at least 1.
    package let steps: Int
    /// Threads of the pool.
    package let workers: Int
    /// Of a step.
    package let wallSeconds: Double
    /// Of a step, summed over the workers; what takes most comes first, and what never happened is left out.
    package let seconds: [(part: Part, seconds: Double)]

    /// - Parameter profile: with at least one recording, each of them a step.
    package init(_ profile: Profile) {
        let count = Double(profile.recordings.count)
        steps = profile.recordings.count
        workers = profile.workerCount
        wallSeconds = profile.wallSeconds / count
        seconds = profile.seconds.filter { $0.value > 0 }
            .map { ($0.key, $0.value / count) }
            .sorted { ($0.1, $1.0.rawValue) > ($1.1, $0.0.rawValue) }
    }

    /// Of all workers' time.
    package func share(_ seconds: Double) -> Double { seconds / (wallSeconds * Double(workers)) }
}
