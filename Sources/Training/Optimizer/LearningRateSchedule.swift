import Configuration
import Platform

/// The learning rate of each iteration: linear warm-up, then half a cosine down to a floor, then the floor (nanoGPT's).
///
/// With `n` = iteration, counted from 0:
/// - `n < warmup`: `rate * (n + 1) / (warmup + 1)`
/// - `n < decay`: `floor + (rate - floor) * (1 + cos(π (n - warmup) / (decay - warmup))) / 2`
/// - afterwards: `floor`
public struct LearningRateSchedule: Equatable, Sendable {
    /// The largest, which the warm-up ends at.
    public var learningRate: Double
    /// The floor, reached at `decayIterations`.
    public var minimum: Double
    /// Iterations of the warm-up; 0 for none.
    public var warmupIterations: Int
    /// The iteration at which the floor is reached, counted from 0 with the warm-up.
    public var decayIterations: Int
    /// Without decay the rate is `learningRate` at every iteration; nanoGPT then has no warm-up either.
    public var decays: Bool

    /// Nothing is checked; with no `decayIterations` the rate is the floor as soon as the warm-up ends.
    public init(
        learningRate: Double,
        minimum: Double = 0,
        warmupIterations: Int = 0,
        decayIterations: Int = 0,
        decays: Bool = true
    ) {
        self.learningRate = learningRate
        self.minimum = minimum
        self.warmupIterations = warmupIterations
        self.decayIterations = decayIterations
        self.decays = decays
    }

    /// The rate of the update from `iteration` to `iteration + 1`.
    public func rate(at iteration: Int) -> Double {
        guard decays else { return learningRate }
        if iteration < warmupIterations {
            return learningRate * Double(iteration + 1) / Double(warmupIterations + 1)
        }
        if iteration >= decayIterations { return minimum }
        let progress = Double(iteration - warmupIterations) / Double(decayIterations - warmupIterations)
        return minimum + 0.5 * (1 + cos(Double.pi * progress)) * (learningRate - minimum)
    }
}

extension LearningRateSchedule {
    /// Takes `learning_rate`, `min_lr`, `warmup_iters`, `lr_decay_iters` and `decay_lr`.
    public init(_ configuration: TrainingConfiguration) {
        self.init(
            learningRate: configuration.learningRate,
            minimum: configuration.minLR,
            warmupIterations: configuration.warmupIters,
            decayIterations: configuration.lrDecayIters,
            decays: configuration.decayLR
        )
    }
}
