import Compute
import Configuration
import Datasets
import Platform
import Training
import Transformer

/// One training run of an experiment (one arm with one seed) and its results.
struct ExperimentRun {
    let seed: Int
    /// The mean training loss of each logged step, in nats per token.
    var training: [(iteration: Int, loss: Double)] = []
    /// The validation loss of each evaluation, in nats per token.
    var validation: [(iteration: Int, loss: Double)] = []
    /// The lowest possible loss on the evaluated tokens, in nats per token; nil if the dataset does not define it.
    var optimum: Double?
    /// Gradient norms before the first update and after the last one.
    var gradients: (start: GradientDepth?, end: GradientDepth?)
    /// The median over logged steps.
    var secondsPerStep = 0.0
    /// Estimated memory of the model and the optimizer during training.
    var bytes = 0
    var sample = ""
    /// The reason why training broke down; nil if it did not.
    var failure: String?
    var parameterCount = 0

    /// The last validation loss, in nats per token; nil if training broke down.
    var finalLoss: Double? { failure == nil ? validation.last?.loss : nil }

    /// Trains one arm. Its output folder is an ordinary run.
    ///
    /// - Parameters:
    ///   - peak: the machine's peak speed in matrix products, measured once for all runs.
    ///   - keepModel: receives the trained model.
    /// - Returns: nil if the run was stopped.
    /// - Throws: the errors of `Trainer`, except for a loss that is not finite, which becomes `failure`.
    static func train(
        _ configuration: ResolvedConfiguration,
        dataset: Dataset,
        stop: StopRequest,
        peak: Double,
        progress: @escaping (String) -> Void,
        keepModel: (GPT) throws -> Void
    ) throws -> ExperimentRun? {
        let values = configuration.values
        let recorder = Recorder(values, dataset: dataset)
        let output = RunOutput(
            RunOutput.Sink(line: { _ in }, note: { _ in }, terminal: progress),
            linesGoToTerminal: false,
            saysProgress: false
        )
        let trainer = try Trainer(
            configuration: configuration,
            dataset: dataset,
            stop: stop,
            output: output,
            observers: [recorder],
            peak: peak
        )
        do {
            guard try trainer.run() == .finished else { return nil }
        } catch let error as UserError where error.kind == .other {
            recorder.run.failure = error.message
        }
        if let problem = recorder.problem { throw problem }
        var run = recorder.run
        run.parameterCount = trainer.model.layout.count
        run.bytes =
            GPT.memoryEstimate(
                configuration: trainer.model.configuration,
                batchSize: values.batchSize,
                sequenceLength: values.blockSize,
                threads: trainer.model.pool.threadCount
            ).total + Optimizer.stateBytes(layout: trainer.model.layout, configuration: values)
        let sample = RunFiles(folder: values.outDir).sample(iteration: values.maxIters)
        if let bytes = try? FileSystem.read(sample) { run.sample = String(decoding: bytes, as: UTF8.self) }
        if run.failure == nil { try keepModel(trainer.model) }
        return run
    }

    private final class Recorder: TrainingObserver {
        var run: ExperimentRun
        var problem: (any Error)?
        private let values: TrainingConfiguration
        private let dataset: Dataset
        private var seconds: [Double] = []

        init(_ values: TrainingConfiguration, dataset: Dataset) {
            self.values = values
            self.dataset = dataset
            run = ExperimentRun(seed: values.seed)
        }

        func stepDone(_ report: StepReport) {
            guard report.isLogged else { return }
            run.training.append((report.iteration, report.loss))
            // The median ignores moments when the machine was busy.
            seconds.append(report.seconds)
            run.secondsPerStep = seconds.sorted()[seconds.count / 2]
        }

        func evaluationDone(_ report: EvaluationReport, model: GPT) {
            if let loss = report.losses.validation { run.validation.append((report.iteration, loss)) }
            run.optimum = report.losses.validationOptimum
            guard report.iteration == 0 || report.iteration == values.maxIters else { return }
            do {
                let depth = try GradientDepth(
                    of: model,
                    dataset: dataset,
                    batchSize: values.batchSize,
                    seed: values.seed
                )
                if report.iteration == 0 { run.gradients.start = depth } else { run.gradients.end = depth }
            } catch {
                problem = error
            }
        }
    }
}
