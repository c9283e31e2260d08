import Compute
import Configuration
import Datasets
import Formats
import Foundation
import Platform
import TestSupport
import Transformer

@testable import Training

/// A folder with a tiny data set of 16 characters, and runs on it that take milliseconds.
final class TrainingFixture {
    let folder: TemporaryFolder
    let dataset: Dataset
    /// Lines on standard output and notes on standard error, of all runs.
    private(set) var lines: [String] = []
    private(set) var notes: [String] = []

    var outDir: String { folder("out") }
    var store: CheckpointStore { CheckpointStore(outputFolder: outDir) }

    init() throws {
        folder = try TemporaryFolder()
        dataset = try Self.makeDataset(in: folder.path, name: "letters", seed: 1)
    }

    /// Text in which each letter depends on the one before it, as nanoGPT's files with a meta.pkl.
    static func makeDataset(in folder: String, name: String, seed: UInt64) throws -> Dataset {
        let path = folder + "/" + name
        try FileSystem.createFolder(path)
        let random = CounterRandom(seed: seed, stream: .test)
        var id = 0
        func tokens(_ range: Range<Int>) -> [UInt8] {
            range.flatMap { index -> [UInt8] in
                id = (3 * id + 1 + random.integer(UInt32(index), below: 3)) % 16
                return [UInt8(id), 0]
            }
        }
        try AtomicFile.write(tokens(0..<3000), to: path + "/train.bin")
        try AtomicFile.write(tokens(3000..<4000), to: path + "/val.bin")
        try AtomicFile.write([UInt8](Data(base64Encoded: meta)!), to: path + "/meta.pkl")
        return try Dataset.open(folder: folder, name: name)
    }

    /// `pickle.dumps` of vocab_size, itos and stoi for the characters of "\n abcdefghijklmn".
    private static let meta = """
        gASVygAAAAAAAAB9lCiMCnZvY2FiX3NpemWUSxCMBGl0b3OUfZQoSwCMAQqUSwGMASCUSwKMAWGUSwOMAWKUSwSMAWOUSwWMAWSUSwaMAWWUSweM\
        AWaUSwiMAWeUSwmMAWiUSwqMAWmUSwuMAWqUSwyMAWuUSw2MAWyUSw6MAW2USw+MAW6UdYwEc3RvaZR9lChoBEsAaAVLAWgGSwJoB0sDaAhLBGgJ\
        SwVoCksGaAtLB2gMSwhoDUsJaA5LCmgPSwtoEEsMaBFLDWgSSw5oE0sPdXUu
        """

    var configuration: TrainingConfiguration {
        var values = TrainingConfiguration()
        values.dataset = dataset.name
        values.dataDir = folder.path
        values.outDir = outDir
        values.layerCount = 2
        values.headCount = 2
        values.embeddingSize = 16
        values.blockSize = 8
        values.dropout = 0.2
        values.batchSize = 3
        values.gradientAccumulationSteps = 2
        values.maxIters = 8
        values.learningRate = 1e-2
        values.minLR = 1e-3
        values.warmupIters = 2
        values.lrDecayIters = 8
        values.evalInterval = 4
        values.evalIters = 2
        values.threads = 1
        return values
    }

    func trainer(
        weights: InitialWeights? = nil,
        dataset: Dataset? = nil,
        stop: StopRequest = StopRequest(),
        observers: [any TrainingObserver] = [],
        _ change: (inout TrainingConfiguration) -> Void = { _ in }
    ) throws -> Trainer {
        var values = configuration
        change(&values)
        let sink = RunOutput.Sink(line: { self.lines.append($0) }, note: { self.notes.append($0) })
        return try Trainer(
            configuration: ResolvedConfiguration(values),
            dataset: dataset ?? self.dataset,
            weights: weights,
            stop: stop,
            output: RunOutput(sink, linesGoToTerminal: false),
            observers: observers,
            peak: 1e11
        )
    }

    /// Runs and returns the hash of the parameters.
    @discardableResult
    func run(
        stop: StopRequest = StopRequest(),
        observers: [any TrainingObserver] = [],
        _ change: (inout TrainingConfiguration) -> Void = { _ in }
    ) throws -> String {
        let trainer = try trainer(stop: stop, observers: observers, change)
        _ = try trainer.run()
        return trainer.model.parameterHash
    }

    func metrics() throws -> [JSONValue] {
        let text = String(decoding: try FileSystem.read(outDir + "/metrics.jsonl"), as: UTF8.self)
        return try text.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
    }

    /// Steps and evaluations without what depends on the machine's speed, or on where the run was stopped.
    func timelessMetrics() throws -> [[JSONValue.Member]] {
        let timed: Set = ["seconds", "tokens_per_second", "mfu"]
        return try metrics().filter { ["step", "evaluation"].contains($0["event"]?.stringValue) }.map {
            ($0.objectValue ?? []).filter { !timed.contains($0.name) }
        }
    }
}

/// Calls closures at events of a run.
final class Watcher: TrainingObserver {
    var onStep: (StepReport) -> Void = { _ in }
    var onEvaluation: (EvaluationReport) -> Void = { _ in }
    private(set) var steps: [StepReport] = []
    private(set) var evaluations: [EvaluationReport] = []
    private(set) var saves: [(iteration: Int, isBest: Bool)] = []

    func stepDone(_ report: StepReport) {
        steps.append(report)
        onStep(report)
    }

    func evaluationDone(_ report: EvaluationReport, model: GPT) {
        evaluations.append(report)
        onEvaluation(report)
    }

    func checkpointSaved(_ report: SaveReport) {
        saves.append((report.checkpoint.state.iteration, report.isBest))
    }
}
