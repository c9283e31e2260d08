import Collectives
import Formats
import Text

// Parts of the trainer's preparation, in the order in which it comes to them.

extension Trainer {
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
