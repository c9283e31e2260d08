import Collectives
import Compute
import Text
import Transformer

/// Trains a model: nanoGPT's loop, with runs that can be stopped, resumed to the bit, and repeated.
///
/// ```swift
/// let trainer = try Trainer(configuration: resolved, dataset: dataset, stop: .onSignals())
/// let outcome = try trainer.run()
/// ```
/// Exactly `max_iters` updates are made. An evaluation is made at iteration 0, at multiples of `eval_interval` and at the
/// end; a checkpoint is saved after an evaluation (not at iteration 0) when its validation loss is the lowest so far, or
/// with `always_save_checkpoint`, and at the end. Data, dropout and evaluations are functions of the seed and of counters,
/// so neither stopping, resuming nor evaluating changes the course of a run.
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
    /// Trained in place by `run`.
    public let model: GPT
    /// Updates made.
    public internal(set) var iteration = 0

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
    /// As `CheckpointState.hasChangedCourse`; of rank 0.
    let hasChangedCourse: Bool
    /// Whether the ranks have agreed to stop.
    var stops = false
    var clock = RunClock()
    /// The iteration of the newest checkpoint.
    var lastSaved: Int?
    /// Loss of the last step.
    var lastLoss: Double?
    var bestValidationLoss: Double?
    /// What that was before the evaluation whose checkpoint was begun last.
    var bestBeforeSave: Double?
    /// The iteration of the last evaluation and its validation loss, if one was made.
    var lastEvaluation: (iteration: Int, validationLoss: Double)?

    var values: TrainingConfiguration { configuration.values }
    var optimizer: AdamW { step.optimizer }

    /// Prepares a run: everything that can be refused is refused here, before anything long begins.
    ///
    /// - Parameters:
    ///   - weights: what `init_from` names, unless that is `scratch` or `resume`; only rank 0's count.
    ///   - observers: told of steps, evaluations and checkpoints after the run's own logs and metrics; of rank 0.
    ///   - peak: floating-point operations a second of this machine's matrix products; measured when nil.
    ///   - communicator: the ranks that train together, each with a trainer of the same configuration. Rank 0 saves and
    ///     says what happens; which ranks evaluate, `eval_on` says.
    ///   - version: of the program, which ranks must have in common.
    /// - Throws: `UserError`; `CollectiveError`.
    public init(
        configuration asked: ResolvedConfiguration,
        dataset: Dataset,
        weights: InitialWeights? = nil,
        stop: StopRequest = StopRequest(),
        output: RunOutput = RunOutput(),
        observers: [any TrainingObserver] = [],
        peak: Double? = nil,
        communicator: Communicator = Communicator(),
        version: String = ""
    ) throws {
        output.onProgress = communicator.board.worked
        try JobAgreement(asked, dataset: dataset, version: version).check(communicator)
        let share = try ThreadShare(asked: asked.values.threads, communicator: communicator)
        if let warning = share.warning { output.note(warning) }
        let resumes = asked.values.initFrom == "resume"
        let outDir = asked.values.outDir
        let writes = !asked.values.evalOnly && communicator.isMain
        var folder = resumes && writes ? try RunFolder(resumingIn: outDir) : nil
        let plan = resumes && communicator.isMain ? try Self.resume(asked, dataset, communicator, output) : nil
        let resumed = plan?.checkpoint
        var configuration = plan?.configuration ?? asked
        if plan == nil, let weights { try configuration.adopt(weights) }
        let start = try StartingPoint(
            configuration,
            vocabularySize: resumed?.state.model.vocabularySize ?? weights?.configuration.vocabularySize
                ?? dataset.vocabularySize,
            resumed: resumed?.state,
            dataset: dataset
        ).shared(communicator)
        start.adopt(into: &configuration)
        let values = configuration.values
        let shape = start.state.model
        let dataset = try dataset.limited(toVocabulary: shape.vocabularySize)
        try Self.checkEachRankHasWork(values, communicator)

        let threads = share.threads
        let memory = try MemoryCheck(
            configuration: shape,
            batchSize: values.batchSize,
            threads: threads,
            available: MemoryCheck.availableBytes.map { $0 / share.localRanks }
        )
        let boundaries = values.documentMask ? try dataset.documentBoundaries() : nil
        let sampler = try BatchSampler(
            sequence: dataset.train,
            blockSize: shape.blockSize,
            sequencesPerStep: values.gradientAccumulationSteps * values.batchSize,
            order: values.sampling,
            seed: UInt64(values.seed)
        )
        evaluation = try Evaluation(
            dataset: dataset,
            blockSize: shape.blockSize,
            batchSize: values.batchSize,
            batchCount: values.evalIters,
            seed: values.seed,
            boundaries: boundaries
        )
        let pool = WorkerPool(threadCount: threads)
        try SharedTokenCheck.run(dataset, pool: pool, communicator: communicator) { share in
            output.progress("checking the data: \(Int(share * 100))%")
        }
        if !resumes { try Self.makeFolderOfTrace(values) }
        trace = try StepTrace(values, from: start.state.iteration, communicator: communicator)
        if !resumes && writes { folder = try RunFolder(newRunIn: outDir, overwrite: values.overwrite) }

        let parameters: StartingParameters =
            if let resumed { .checkpoint(resumed) } else if let weights { .weights(weights) } else { .random }
        let optimizer: AdamW
        (model, optimizer) = try Self.model(shape, parameters, values, pool, isMain: communicator.isMain)
        replicas = Replicas(communicator: communicator)
        if start.isResumed {
            iteration = start.state.iteration
            lastSaved = iteration
            bestValidationLoss = start.state.bestValidationLoss
            lastEvaluation = start.state.validationLoss.map { (start.state.iteration, $0) }
        }
        try replicas.spread(model, optimizer, moments: start.isResumed)
        step = TrainingStep(
            model: model,
            optimizer: optimizer,
            sampler: sampler,
            configuration: values,
            boundaries: boundaries,
            communicator: communicator
        )

        var own: [any TrainingObserver] = communicator.isMain ? [RunConsole(output: output)] : []
        if let folder {
            try folder.writeConfiguration(configuration.toml)
            own += try Self.writers(to: folder, of: dataset, values, resumed?.state, stop, output)
        }
        // Short: a run is to begin within moments. `bench` and `plan` measure longer.
        let ownPeak = peak ?? MachinePeak.measure(pool: pool, rounds: 5)
        header = RunHeader(
            configuration: values,
            model: shape,
            dataset: dataset,
            memory: memory,
            threads: threads,
            peak: try communicator.allGather([ownPeak]).reduce(0) { $0 + $1[0] },
            ranks: RunHeader.ranks(communicator, sequences: sampler.sequencesPerStep),
            steps: values.evalOnly ? 0 : max(0, values.maxIters - iteration),
            evaluations: values.evalOnly ? 1 : Self.evaluationCount(after: iteration, values),
            tokensPerEvaluation: evaluation.tokenCount
        )
        self.configuration = configuration
        hasChangedCourse = plan?.hasChangedCourse ?? false
        self.dataset = dataset
        self.folder = folder
        saver = folder.map { folder in
            CheckpointSaver(store: folder.checkpoints, keep: values.keepCheckpoints, tokenizer: dataset.tokenizer)
        }
        self.stop = stop
        self.output = output
        self.observers = communicator.isMain ? own + observers : []
        self.communicator = communicator
    }

    /// Evaluations from an iteration to the end, the one at the iteration itself included.
    public static func evaluationCount(after iteration: Int, _ values: TrainingConfiguration) -> Int {
        guard iteration <= values.maxIters else { return 0 }
        let multiples =
            values.maxIters / values.evalInterval - (iteration + values.evalInterval - 1) / values.evalInterval + 1
        return multiples + (values.maxIters % values.evalInterval == 0 ? 0 : 1)
    }
}
