import Compute
import Training
import Transformer

/// The measurements of whole training steps.
package struct StepMeasurement: Sendable {
    package let shape: BenchShape
    /// The number of steps before the measured ones.
    package let warmUp: Int
    /// The time of each measured step.
    package let seconds: [Double]
    /// The machine's peak in matrix products, measured in the same process, in floating-point operations per second.
    package let peak: Double
    /// The peak of the resident memory in bytes; nil if the system does not report it.
    package let peakMemory: Int?
    /// The time by part, of additional steps after the measured ones.
    package let profile: PartTimes

    package var spread: Spread { Spread(seconds) }

    /// Tokens per second of the median step.
    package var tokensPerSecond: Double { Double(shape.training.tokensPerIteration) / spread.median }

    /// Floating-point operations per second, counted as nanoGPT does (see `GPTConfiguration.operationsPerToken`).
    package var countedOperations: Double { tokensPerSecond * shape.model.operationsPerToken }

    /// `countedOperations` divided by `peak`.
    package var shareOfPeak: Double { countedOperations / peak }
}

/// The worker threads' time by part of the computation.
package struct PartTimes: Sendable {
    /// The number of recorded steps, at least 1.
    package let steps: Int
    /// The number of threads in the pool.
    package let workers: Int
    /// Wall-clock seconds per step.
    package let wallSeconds: Double
    /// Seconds per step summed over the workers, in descending order. Parts without time are left out.
    package let seconds: [(part: Part, seconds: Double)]

    /// - Parameter profile: must have at least one recording. Each recording is a step.
    package init(_ profile: Profile) {
        let count = Double(profile.recordings.count)
        steps = profile.recordings.count
        workers = profile.workerCount
        wallSeconds = profile.wallSeconds / count
        seconds = profile.seconds.filter { $0.value > 0 }
            .map { ($0.key, $0.value / count) }
            .sorted { ($0.1, $1.0.rawValue) > ($1.1, $0.0.rawValue) }
    }

    /// The share of all workers' time.
    package func share(_ seconds: Double) -> Double { seconds / (wallSeconds * Double(workers)) }
}
