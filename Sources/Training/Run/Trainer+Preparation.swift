import Collectives
import Compute
import Platform
import Text
import Transformer

// Parts of the trainer's preparation, in the order in which it comes to them.

extension Trainer {
    /// What rank 0 goes on with; where the run goes on in its folder, `latest` and `best` are put back to that.
    static func resume(
        _ asked: ResolvedConfiguration,
        _ dataset: Dataset,
        _ communicator: Communicator,
        _ output: RunOutput
    ) throws -> ResumePlan {
        let store = CheckpointStore(outputFolder: asked.values.outDir)
        let plan = try ResumePlan(asked, store: store, dataset: dataset, worldSize: communicator.worldSize) {
            output.note($0)
        }
        if !asked.values.evalOnly { try store.restoreLinks(resuming: plan.checkpoint) }
        return plan
    }

    /// - Throws: `UserError(.usage)`, of every rank, when an iteration has fewer sequences than there are ranks.
    static func checkEachRankHasWork(_ values: TrainingConfiguration, _ communicator: Communicator) throws {
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

    /// The run's own folder may not be there yet, and is where a trace may well lie; any other folder has to be there.
    static func makeFolderOfTrace(_ values: TrainingConfiguration) throws {
        guard !values.evalOnly, !values.profile.isEmpty, FileSystem.folder(of: values.profile) == values.outDir else {
            return
        }
        try FileSystem.createFolder(values.outDir)
    }

    /// Where a run's parameters come from; other ranks get rank 0's.
    enum StartingParameters {
        case checkpoint(Checkpoint)
        case weights(InitialWeights)
        case random
    }

    /// The model with its optimizer, as the run begins; without the parameters of `random` where another rank makes them.
    static func model(
        _ shape: GPTConfiguration,
        _ parameters: StartingParameters,
        _ values: TrainingConfiguration,
        _ pool: WorkerPool,
        isMain: Bool
    ) throws -> (GPT, AdamW) {
        let options = AdamW.Options(values)
        switch parameters {
        case .checkpoint(let checkpoint):
            let model = try checkpoint.loadModel(pool: pool, forTraining: true, dropout: shape.dropout)
            let optimizer = AdamW(layout: model.layout, options: options)
            try checkpoint.loadMoments(into: optimizer, layout: model.layout)
            return (model, optimizer)
        case .weights(let weights):
            let model = GPT(configuration: shape, pool: pool)
            try weights.load(model)
            return (model, AdamW(layout: model.layout, options: options))
        case .random:
            let model = GPT(configuration: shape, pool: pool)
            if isMain { model.initializeParameters(seed: UInt64(values.seed)) }
            return (model, AdamW(layout: model.layout, options: options))
        }
    }

    /// What writes into the run's folder as it goes on.
    static func writers(
        to folder: RunFolder,
        of dataset: Dataset,
        _ values: TrainingConfiguration,
        _ resumed: CheckpointState?,
        _ stop: StopRequest,
        _ output: RunOutput
    ) throws -> [any TrainingObserver] {
        let metrics = try MetricsFile(path: folder.files.metrics, resume: resumed) { output.note($0) }
        guard let tokenizer = dataset.tokenizer else { return [metrics] }
        let samples = try SampleWriter(
            folder: folder.files.samples,
            tokenizer: tokenizer,
            seed: values.seed,
            stop: stop,
            output: output
        )
        return [metrics, samples]
    }
}
