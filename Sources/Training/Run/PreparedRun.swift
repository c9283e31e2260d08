import Configuration
import Datasets

/// Everything that a run needs before its first step, as `RunPreparation` makes it and a `Trainer` uses it.
struct PreparedRun {
    /// With what was taken from a checkpoint, from weights or from rank 0.
    let configuration: ResolvedConfiguration
    let dataset: Dataset
    /// Updates that were made before.
    let iteration: Int
    let step: TrainingStep
    let evaluation: Evaluation
    let ledger: RunLedger
    /// Nil when the run is not recorded.
    let trace: StepTrace?
    /// Nil on ranks other than 0, and when only an evaluation is wanted, which writes nothing.
    let folder: RunFolder?
    /// Empty on ranks other than 0.
    let observers: [any TrainingObserver]
    let header: RunHeader
}
