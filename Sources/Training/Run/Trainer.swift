import Collectives
import Compute
import Configuration
import Datasets
import Platform
import Transformer

/// Trains a model: nanoGPT's loop, with runs that can be stopped, resumed to the bit, and repeated.
///
/// ```swift
/// let stop = StopRequest()
/// let trainer = try Trainer(configuration: resolved, dataset: dataset, stop: stop)
/// stop.listen()
/// let outcome = try trainer.run()
/// ```
/// Exactly `max_iters` updates are made. An evaluation is made at iteration 0, at multiples of `eval_interval` and at
/// the end; a checkpoint is saved after an evaluation (not at iteration 0) when its validation loss is the lowest so
/// far or there is none, or with `always_save_checkpoint`, and at the end. Data, dropout and evaluations are functions of
/// the seed and of counters, so neither stopping, resuming nor evaluating changes the course of a run.
public final class Trainer {
    /// Why `run` returned.
    public enum Outcome: Equatable, Sendable {
        /// All updates are made, or only an evaluation was wanted.
        case finished
        /// Stopped on request after saving; a resume goes on from there.
        case stopped
    }

    /// The configuration with what was taken from a checkpoint or from weights.
    public let configuration: ResolvedConfiguration
    /// Updates made.
    public internal(set) var iteration: Int
    /// Trained in place by `run`.
    public var model: GPT { step.model }

    let dataset: Dataset
    let step: TrainingStep
    let trace: StepTrace?
    let evaluation: Evaluation
    /// Nil when only an evaluation is wanted, which writes nothing.
    let folder: RunFolder?
    /// Of the same ranks as `folder`.
    let saver: CheckpointSaver?
    let stop: StopRequest
    let output: RunOutput
    let observers: [any TrainingObserver]
    let header: RunHeader
    let communicator: Communicator
    let replicas: Replicas
    var ledger: RunLedger
    var clock = RunClock()
    /// Whether the ranks have agreed to stop.
    var stops = false
    /// Loss of the last step.
    var lastLoss: Double?

    var values: TrainingConfiguration { configuration.values }

    /// Prepares a run: everything that can be refused is refused here, before anything long begins.
    ///
    /// - Parameters:
    ///   - weights: what `init_from` names, unless that is `scratch` or `resume`; only rank 0's count.
    ///   - observers: told of steps, evaluations and checkpoints after the run's own logs and metrics; of rank 0.
    ///   - peak: floating-point operations per second of this machine's matrix products; measured when nil.
    ///   - communicator: the ranks that train together, each with a trainer of the same configuration. Rank 0 saves and
    ///     says what happens; `eval_on` decides which ranks evaluate.
    ///   - version: of the program, which ranks must have in common.
    /// - Throws: `UserError`; `CollectiveError`.
    public convenience init(
        configuration: ResolvedConfiguration,
        dataset: Dataset,
        weights: InitialWeights? = nil,
        stop: StopRequest = StopRequest(),
        output: RunOutput = RunOutput(),
        observers: [any TrainingObserver] = [],
        peak: Double? = nil,
        communicator: Communicator = Communicator(),
        version: String = ""
    ) throws {
        let preparation = RunPreparation(
            asked: configuration,
            dataset: dataset,
            weights: weights,
            stop: stop,
            output: output,
            observers: observers,
            peak: peak,
            communicator: communicator,
            version: version
        )
        self.init(try preparation.prepare(), stop: stop, output: output, communicator: communicator)
    }

    init(_ run: PreparedRun, stop: StopRequest, output: RunOutput, communicator: Communicator) {
        configuration = run.configuration
        dataset = run.dataset
        iteration = run.iteration
        step = run.step
        evaluation = run.evaluation
        ledger = run.ledger
        trace = run.trace
        folder = run.folder
        observers = run.observers
        header = run.header
        self.stop = stop
        self.output = output
        self.communicator = communicator
        replicas = Replicas(communicator: communicator)
        saver = run.folder.map { folder in
            CheckpointSaver(
                store: folder.checkpoints,
                keep: run.configuration.values.keepCheckpoints,
                tokenizer: run.dataset.tokenizer
            )
        }
    }
}
