import Transformer

/// One update of the parameters, after it was made.
public struct StepReport: Equatable, Sendable {
    /// Counted from 0: the update that leads from this iteration to the next.
    public var iteration: Int
    /// Mean over every token of every micro-batch, before the update, in nats.
    public var loss: Double
    /// That of this update.
    public var learningRate: Double
    /// Norm of the whole gradient before clipping.
    public var gradientNorm: Double
    /// Tokens seen so far, this update included.
    public var tokens: Int
    /// Whether this iteration is a multiple of `log_interval`.
    public var isLogged: Bool
    /// Mean duration of an update since the last logged one.
    public var seconds: Double
    /// Of `seconds`, what this rank waited for others; 0 for one rank.
    public var waitingSeconds: Double
    /// Mean duration of the collectives of an update, most of which goes on while the backward pass does.
    public var communicationSeconds: Double
    /// Of all ranks together, by `seconds`.
    public var tokensPerSecond: Double
    /// Counted operations a second as a share of this machine's measured peak of matrix products.
    public var peakShare: Double
}

/// An evaluation, after it was made.
public struct EvaluationReport: Equatable, Sendable {
    /// Updates done.
    public var iteration: Int
    /// Of both splits.
    public var losses: EvaluationLosses
    /// Whether the validation loss is the lowest of the run so far.
    public var isBest: Bool
    /// That the evaluation took.
    public var seconds: Double
}

/// A checkpoint, after it was saved.
public struct SaveReport: Sendable {
    /// The one that was saved, opened for reading.
    public var checkpoint: Checkpoint
    /// Whether it is the best of the run so far.
    public var isBest: Bool
    /// From the beginning of the save to its end.
    public var seconds: Double
    /// Of `seconds`, those in which training stood still.
    public var stoodStillSeconds: Double
}

/// How a run came to its end. One that is killed says nothing.
public enum RunEnd: Equatable, Sendable {
    /// All updates are made.
    case finished
    /// On request, after saving.
    case stopped
    /// With the error that the user is told.
    case failed(String)
}

/// Hangs onto a run: logs, metrics, samples and reports are observers, and training knows none of them.
///
/// Methods are called on the run's own thread, in the order of the run; the model may be looked at, not changed. A
/// checkpoint is written while training goes on, so its report may come some steps late, before the next evaluation's.
public protocol TrainingObserver: AnyObject {
    /// After each update.
    func stepDone(_ report: StepReport)
    /// After each evaluation; `model` is the one in training.
    func evaluationDone(_ report: EvaluationReport, model: GPT)
    /// After each save that succeeded.
    func checkpointSaved(_ report: SaveReport)
    /// The last call; `iteration` updates are made.
    func runEnded(_ end: RunEnd, iteration: Int)
}

extension TrainingObserver {
    /// Does nothing.
    public func stepDone(_ report: StepReport) {}
    /// Does nothing.
    public func evaluationDone(_ report: EvaluationReport, model: GPT) {}
    /// Does nothing.
    public func checkpointSaved(_ report: SaveReport) {}
    /// Does nothing.
    public func runEnded(_ end: RunEnd, iteration: Int) {}
}
