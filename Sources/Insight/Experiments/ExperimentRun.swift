import Compute
import Configuration
import Datasets
import Platform
import Training
import Transformer

/// One training run of an experiment, and what it left: an arm with one seed.
struct ExperimentRun {
    let seed: Int
    /// Mean loss of each logged step.
    var training: [(iteration: Int, loss: Double)] = []
    /// Validation loss of each evaluation.
    var validation: [(iteration: Int, loss: Double)] = []
    /// The least that a predictor can have on the tokens of an evaluation, where that is known.
    var optimum: Double?
    /// Before the first update, and after the last.
    var gradients: (start: GradientDepth?, end: GradientDepth?)
    var secondsPerStep = 0.0
    var bytes = 0
    var sample = ""
    /// Why training broke down, if it did.
    var failure: String?
    var parameterCount = 0

    /// Nil when training broke down.
    var finalLoss: Double? { failure == nil ? validation.last?.loss : nil }

    /// Trains, in a folder that is then a run like any other.
    ///
    /// - Parameters:
    ///   - peak: of this machine's matrix products, so that it is measured once.
    ///   - keepModel: receives the trained model.
    /// - Returns: nil when it was stopped.
    /// - Throws: `UserError` as `Trainer` does, but for a loss that is no longer finite, which is a result.
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
            // The median: a machine that was busy for a moment says nothing about the arm.
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
