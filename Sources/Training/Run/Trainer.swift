import Compute
import Formats
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
    public enum Outcome: Equatable, Sendable {
        /// All updates are made, or only an evaluation was wanted.
        case finished
        /// Stopped on request after saving; a resume goes on from there.
        case stopped
    }

    /// The configuration with what was taken from a checkpoint or from weights.
    public let configuration: ResolvedConfiguration
    public let model: GPT
    /// Updates made.
    public internal(set) var iteration = 0

    let dataset: Dataset
    let step: TrainingStep
    let trace: StepTrace?
    let evaluation: Evaluation
    /// Nil when only an evaluation is wanted, which writes nothing.
    let folder: RunFolder?
    let stop: StopRequest
    let output: RunOutput
    let observers: [any TrainingObserver]
    let header: RunHeader
    var clock = RunClock()
    /// The iteration of the newest checkpoint.
    var lastSaved: Int?
    /// Loss of the last step.
    var lastLoss: Double?
    var bestValidationLoss: Double?
    /// The iteration of the last evaluation and its validation loss, if one was made.
    var lastEvaluation: (iteration: Int, validationLoss: Double)?

    var values: TrainingConfiguration { configuration.values }
    var optimizer: AdamW { step.optimizer }

    /// Prepares a run: everything that can be refused is refused here, before anything long begins.
    ///
    /// - Parameters:
    ///   - weights: what `init_from` names, unless that is `scratch` or `resume`.
    ///   - observers: told of steps, evaluations and checkpoints after the run's own logs and metrics.
    ///   - peak: floating-point operations a second of this machine's matrix products; measured when nil.
    /// - Throws: `UserError`.
    public init(
        configuration asked: ResolvedConfiguration,
        dataset: Dataset,
        weights: InitialWeights? = nil,
        stop: StopRequest = StopRequest(),
        output: RunOutput = RunOutput(),
        observers: [any TrainingObserver] = [],
        peak: Double? = nil
    ) throws {
        let resumes = asked.values.initFrom == "resume"
        let outDir = asked.values.outDir
        let writes = !asked.values.evalOnly
        var configuration = asked
        var folder = resumes && writes ? try RunFolder(resumingIn: outDir) : nil
        var resumed: Checkpoint?
        if resumes {
            let store = CheckpointStore(outputFolder: outDir)
            let plan = try ResumePlan(asked, store: store, dataset: dataset) { output.note($0) }
            configuration = plan.configuration
            resumed = plan.checkpoint
        } else if let weights {
            try configuration.adopt(weights)
        }
        let values = configuration.values
        let vocabularySize = resumed?.state.model.vocabularySize ?? weights?.configuration.vocabularySize
        let dataset = try vocabularySize.map { try dataset.limited(toVocabulary: $0) } ?? dataset
        let shape = values.model(vocabularySize: vocabularySize ?? dataset.vocabularySize)

        let threads = Processors.count(asked: values.threads)
        let memory = try MemoryCheck(configuration: shape, batchSize: values.batchSize, threads: threads)
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
            seed: values.seed
        )
        // The run's own folder may not be there yet, and is where a trace may well lie; any other folder has to be there.
        let traceFolder = FileSystem.folder(of: values.profile)
        if !resumes && writes && !values.profile.isEmpty && traceFolder == outDir {
            try FileSystem.createFolder(outDir)
        }
        trace = try StepTrace(values, from: resumed?.state.iteration ?? 0)
        if !resumes && writes { folder = try RunFolder(newRunIn: outDir, overwrite: values.overwrite) }

        let pool = WorkerPool(threadCount: threads)
        model =
            try resumed?.loadModel(pool: pool, forTraining: true, dropout: shape.dropout)
            ?? GPT(configuration: shape, pool: pool)
        let optimizer = AdamW(layout: model.layout, options: AdamW.Options(values))
        if let resumed {
            try resumed.loadMoments(into: optimizer, layout: model.layout)
            iteration = resumed.state.iteration
            lastSaved = iteration
            bestValidationLoss = resumed.state.bestValidationLoss
            lastEvaluation = resumed.state.validationLoss.map { (resumed.state.iteration, $0) }
        } else if let weights {
            try weights.load(model)
        } else {
            model.initializeParameters(seed: UInt64(values.seed))
        }
        step = TrainingStep(model: model, optimizer: optimizer, sampler: sampler, configuration: values)

        var own: [any TrainingObserver] = [RunConsole(output: output)]
        if let folder {
            try folder.writeConfiguration(configuration.toml)
            own.append(try MetricsFile(path: folder.metricsPath, resume: resumed?.state) { output.note($0) })
            if let tokenizer = dataset.tokenizer {
                own.append(
                    try SampleWriter(
                        folder: folder.samplesPath,
                        tokenizer: tokenizer,
                        seed: values.seed,
                        stop: stop,
                        output: output
                    )
                )
            }
        }
        header = RunHeader(
            configuration: values,
            model: shape,
            dataset: dataset,
            memory: memory,
            threads: threads,
            // Short: a run is to begin within moments. `bench` and `plan` measure longer.
            peak: peak ?? MachinePeak.measure(pool: pool, rounds: 5),
            steps: values.evalOnly ? 0 : max(0, values.maxIters - iteration),
            evaluations: values.evalOnly ? 1 : Self.evaluationCount(after: iteration, values),
            tokensPerEvaluation: evaluation.tokenCount
        )
        self.configuration = configuration
        self.dataset = dataset
        self.folder = folder
        self.stop = stop
        self.output = output
        self.observers = own + observers
    }

    /// Evaluations from an iteration to the end, the one at the iteration itself included.
    public static func evaluationCount(after iteration: Int, _ values: TrainingConfiguration) -> Int {
        guard iteration <= values.maxIters else { return 0 }
        let multiples =
            values.maxIters / values.evalInterval - (iteration + values.evalInterval - 1) / values.evalInterval + 1
        return multiples + (values.maxIters % values.evalInterval == 0 ? 0 : 1)
    }
}
