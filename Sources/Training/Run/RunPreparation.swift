import Configuration
import Collectives
import Compute
import Datasets
import Platform
import Transformer

/// Prepares a run in stages. Everything that can be refused is refused here, before anything long begins.
///
/// The order matters: ranks agree before one of them reads or writes, options are settled before memory is reserved,
/// and the folder of a run that is to be replaced is touched only when nothing but the model is left to make.
struct RunPreparation {
    let asked: ResolvedConfiguration
    let dataset: Dataset
    let weights: InitialWeights?
    let stop: StopRequest
    let output: RunOutput
    let observers: [any TrainingObserver]
    /// Floating-point operations per second of this machine's matrix products; measured when nil.
    let peak: Double?
    let communicator: Communicator
    let version: String

    func prepare() throws -> PreparedRun {
        let share = try agree()
        let board = communicator.board
        let (resumedFolder, resume) = try board.during(.readingCheckpoint) {
            (try openResumedFolder(), try planResume())
        }
        let plan = try settle(resume)
        let memory = try fit(plan, share)
        let batches = try board.during(.openingDataset) { try makeBatches(plan) }
        let pool = WorkerPool(threadCount: share.threads)
        // The caller of a pool uses the processor while others read: what is read is what counts.
        try board.during(.comparingData, .computing) {
            try comparison(plan.dataset, pool)
                .run(plan.values.verifyData, batches.sampler, firstStep: plan.iteration, seed: plan.values.seed)
        }
        try board.during(.checkingTokens, .computing) { try checkTokens(plan, pool) }
        let (trace, folder) = try board.during(.makingFolder) {
            (try makeTrace(plan), try resumedFolder ?? makeNewFolder(plan))
        }
        let step = try board.during(.makingModel) { try makeStep(plan, batches, pool) }
        let own = try board.during(.writingFiles, .saving) { try makeObservers(plan, folder) }
        return PreparedRun(
            configuration: plan.configuration,
            dataset: plan.dataset,
            iteration: plan.iteration,
            step: step,
            evaluation: batches.evaluation,
            ledger: RunLedger(
                resumed: plan.start.isResumed ? plan.start.state : nil,
                hasChangedCourse: resume?.hasChangedCourse ?? false
            ),
            trace: trace,
            folder: folder,
            observers: communicator.isMain ? own + observers : [],
            header: try makeHeader(plan, batches, memory, pool)
        )
    }

    private var resumes: Bool { asked.values.initFrom == "resume" }
    /// Whether this rank writes into the run's folder.
    private var writes: Bool { !asked.values.evalOnly && communicator.isMain }

    // MARK: - Agree

    /// Compares options, data and programs of all ranks, and shares the cores of each machine.
    private func agree() throws -> ThreadShare {
        output.onProgress = communicator.board.worked
        try JobAgreement(asked, version: version).check(communicator)
        try comparison(dataset, WorkerPool(threadCount: 1)).checkFingerprints()
        let share = try ThreadShare(asked: asked.values.threads, communicator: communicator)
        if let warning = share.warning { output.note(warning) }
        return share
    }

    // MARK: - Resume

    private func openResumedFolder() throws -> RunFolder? {
        resumes && writes ? try RunFolder(resumingIn: asked.values.outDir) : nil
    }

    /// What rank 0 goes on with; where the run goes on in its folder, `latest` and `best` are put back to that.
    private func planResume() throws -> ResumePlan? {
        guard resumes, communicator.isMain else { return nil }
        let store = CheckpointStore(outputFolder: asked.values.outDir)
        let plan = try ResumePlan(asked, store: store, dataset: dataset, worldSize: communicator.worldSize) {
            output.note($0)
        }
        if !asked.values.evalOnly { try store.restoreLinks(resuming: plan.checkpoint) }
        return plan
    }

    // MARK: - Settle

    /// What all ranks run.
    private struct Plan {
        let configuration: ResolvedConfiguration
        let start: StartingPoint
        let parameters: Parameters
        /// Of the vocabulary of the model.
        let dataset: Dataset

        var values: TrainingConfiguration { configuration.values }
        var shape: GPTConfiguration { start.state.model }
        var iteration: Int { start.isResumed ? start.state.iteration : 0 }
        /// The state that rank 0 goes on from; nil for a new run.
        var resumed: CheckpointState? {
            if case .checkpoint(let checkpoint) = parameters { checkpoint.state } else { nil }
        }
    }

    /// Where parameters come from; other ranks get those of rank 0.
    private enum Parameters {
        case checkpoint(Checkpoint)
        case weights(InitialWeights)
        case random
    }

    /// Options and shape with what comes from a checkpoint, from weights and from rank 0.
    private func settle(_ resume: ResumePlan?) throws -> Plan {
        let resumed = resume?.checkpoint
        var configuration = resume?.configuration ?? asked
        if resume == nil, let weights { try configuration.adopt(weights) }
        let start = try StartingPoint(
            configuration,
            vocabularySize: resumed?.state.model.vocabularySize ?? weights?.configuration.vocabularySize
                ?? dataset.vocabularySize,
            resumed: resumed?.state,
            weights: weights?.configuration,
            dataset: dataset
        ).shared(communicator)
        start.adopt(into: &configuration)
        let limited = try dataset.limited(toVocabulary: start.state.model.vocabularySize)
        try checkEachRankHasWork(configuration.values)
        let parameters: Parameters =
            if let resumed { .checkpoint(resumed) } else if let weights { .weights(weights) } else { .random }
        return Plan(configuration: configuration, start: start, parameters: parameters, dataset: limited)
    }

    /// - Throws: `UserError(.usage)`, on every rank, when an iteration has fewer sequences than there are ranks.
    private func checkEachRankHasWork(_ values: TrainingConfiguration) throws {
        let sequences = values.gradientAccumulationSteps * values.batchSize
        guard communicator.worldSize > sequences else { return }
        throw communicator.common(
            UserError(
                .usage,
                """
                \(communicator.worldSize) ranks are more than the \(sequences) sequences of an iteration \
                (gradient_accumulation_steps=\(values.gradientAccumulationSteps) times batch_size=\(values.batchSize)): start \
                fewer ranks or raise either
                """
            )
        )
    }

    // MARK: - Fit

    private func fit(_ plan: Plan, _ share: ThreadShare) throws -> MemoryCheck {
        try MemoryCheck(
            model: plan.shape,
            training: plan.values,
            threads: share.threads,
            available: MemoryCheck.availableBytes.map { $0 / share.localRanks }
        )
    }

    // MARK: - Data

    private struct Batches {
        let sampler: BatchSampler
        let evaluation: Evaluation
        let boundaries: DocumentBoundaries?
    }

    private func makeBatches(_ plan: Plan) throws -> Batches {
        let values = plan.values
        let boundaries = values.documentMask ? try plan.dataset.documentBoundaries() : nil
        let batches = Batches(
            sampler: try BatchSampler(
                sequence: plan.dataset.train,
                blockSize: plan.shape.blockSize,
                sequencesPerStep: values.gradientAccumulationSteps * values.batchSize,
                order: values.sampling,
                epochCoversTail: plan.start.state.epochCoversTail,
                seed: UInt64(values.seed)
            ),
            evaluation: try Evaluation(
                dataset: plan.dataset,
                blockSize: plan.shape.blockSize,
                batchSize: values.batchSize,
                batchCount: values.evalIters,
                seed: values.seed,
                boundaries: boundaries
            ),
            boundaries: boundaries
        )
        noteValidation(plan)
        return batches
    }

    /// Says what becomes of estimates when there are fewer validation data than a window takes.
    private func noteValidation(_ plan: Plan) {
        guard communicator.isMain else { return }
        let targets = plan.dataset.validation.targetCount
        if let reason = plan.dataset.nothingToScore(in: .validation) {
            let saving = plan.values.evalOnly ? "" : ", and every evaluation saves a checkpoint"
            output.note("no validation loss: \(reason); the training loss is estimated alone\(saving)")
        } else if targets < plan.shape.blockSize {
            output.note(
                """
                the validation split has \(targets) targets, fewer than block_size=\(plan.shape.blockSize): its loss is that \
                of all of them in one block
                """
            )
        }
    }

    private func comparison(_ dataset: Dataset, _ pool: WorkerPool) -> DataComparison {
        DataComparison(dataset: dataset, pool: pool, communicator: communicator, output: output)
    }

    private func checkTokens(_ plan: Plan, _ pool: WorkerPool) throws {
        try SharedTokenCheck.run(plan.dataset, pool: pool, communicator: communicator) { share in
            output.progress("checking the data: \(Int(share * 100))%")
        }
    }

    // MARK: - Folder

    private func makeTrace(_ plan: Plan) throws -> StepTrace? {
        let values = plan.values
        // The profile may go to the run's own folder, which does not exist yet. Any other folder must exist.
        // Nor need the folder of a resumed run, on ranks other than 0.
        if !values.evalOnly, !values.profile.isEmpty, FileSystem.folder(of: values.profile) == values.outDir {
            try FileSystem.createFolder(values.outDir)
        }
        return try StepTrace(values, from: plan.iteration, communicator: communicator)
    }

    private func makeNewFolder(_ plan: Plan) throws -> RunFolder? {
        guard !resumes, writes else { return nil }
        return try RunFolder(newRunIn: asked.values.outDir, overwrite: plan.values.overwrite)
    }

    // MARK: - Model

    /// The model with its optimizer as the run begins, on every rank.
    private func makeStep(_ plan: Plan, _ batches: Batches, _ pool: WorkerPool) throws -> TrainingStep {
        let model = try makeModel(plan, pool)
        let optimizer = Optimizer(layout: model.layout, configuration: plan.values)
        if case .checkpoint(let checkpoint) = plan.parameters { try checkpoint.loadOptimizer(into: optimizer.state) }
        try Replicas(communicator: communicator).spread(model, plan.start.isResumed ? optimizer.state : nil)
        return TrainingStep(
            model: model,
            optimizer: optimizer,
            sampler: batches.sampler,
            configuration: plan.values,
            boundaries: batches.boundaries,
            communicator: communicator
        )
    }

    /// The model with its parameters; without those of `random` on ranks other than 0.
    private func makeModel(_ plan: Plan, _ pool: WorkerPool) throws -> GPT {
        if case .checkpoint(let checkpoint) = plan.parameters {
            return try checkpoint.loadModel(pool: pool, forTraining: true, dropout: plan.shape.dropout)
        }
        let model = GPT(configuration: plan.shape, context: ComputeContext(pool: pool))
        if case .weights(let weights) = plan.parameters {
            try weights.load(model)
        } else if communicator.isMain {
            model.initializeParameters(seed: UInt64(plan.values.seed))
        }
        return model
    }

    // MARK: - Output

    /// The run's own log, metrics and samples.
    private func makeObservers(_ plan: Plan, _ folder: RunFolder?) throws -> [any TrainingObserver] {
        let console: [any TrainingObserver] = communicator.isMain ? [RunConsole(output: output)] : []
        guard let folder else { return console }
        try folder.writeConfiguration(plan.configuration.toml)
        let metrics = try MetricsFile(path: folder.files.metrics, resume: plan.resumed) { output.note($0) }
        guard let tokenizer = plan.dataset.tokenizer else { return console + [metrics] }
        let samples = try SampleWriter(
            folder: folder.files.samples,
            tokenizer: tokenizer,
            seed: plan.values.seed,
            stop: stop,
            output: output
        )
        return console + [metrics, samples]
    }

    private func makeHeader(
        _ plan: Plan,
        _ batches: Batches,
        _ memory: MemoryCheck,
        _ pool: WorkerPool
    ) throws -> RunHeader {
        let values = plan.values
        // Short: a run is to begin within moments. `bench` and `plan` measure longer.
        let ownPeak = peak ?? communicator.board.during(.examining) { MachinePeak.measure(pool: pool, rounds: 5) }
        communicator.board.beginTraining()
        return RunHeader(
            configuration: values,
            model: plan.shape,
            dataset: plan.dataset,
            memory: memory,
            threads: pool.threadCount,
            peak: try communicator.allGather([ownPeak]).reduce(0) { $0 + $1[0] },
            ranks: RunHeader.ranks(communicator, sequences: batches.sampler.sequencesPerStep),
            steps: values.evalOnly ? 0 : max(0, values.maxIters - plan.iteration),
            evaluations: values.evalOnly ? 1 : values.evaluationCount(after: plan.iteration),
            tokensPerEvaluation: batches.evaluation.tokenCount
        )
    }
}
