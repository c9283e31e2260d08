import Configuration
import Platform
import Training

/// The contents of a run's folder. Repeated reading covers only what is new.
final class RunRecord {
    let files: RunFiles
    /// The path as the user gave it.
    var folder: String { files.folder }
    private(set) var history: RunHistory
    private(set) var configuration: SavedConfiguration?
    private(set) var samples: [Sample] = []
    private(set) var checkpoints: [SavedCheckpoint] = []
    /// Messages about files that could not be read, one line each.
    private(set) var notices: [String] = []
    var title: String { "run \(FileSystem.lastComponent(of: folder))" }
    /// The number of updates made. Not every update has a line in the metrics.
    var iteration: Int { max(history.iteration, completedUpdates) }
    private var completedUpdates = 0

    struct Sample: Equatable {
        var iteration: Int
        var text: String
    }

    struct SavedCheckpoint: Equatable {
        var name: String
        var iteration: Int
        var validationLoss: Double?
        var isBest: Bool
        var isLatest: Bool
    }

    enum Status: String {
        case running, finished, stopped, failed
        /// The run has not ended, but no process is working on it.
        case lost
    }

    /// The maximum number of samples on a page, evenly spaced over the run.
    static let sampleLimit = 50
    /// The maximum length of a sample on a page, in bytes.
    static let sampleBytes = 4000
    private static let checkpointLimit = 100

    /// - Parameter pointLimit: the maximum number of points per series.
    init(folder: String, pointLimit: Int = ThinnedSeries.defaultLimit) {
        files = RunFiles(folder: folder)
        history = RunHistory(limit: pointLimit)
    }

    /// Opens a run and reads all its files.
    ///
    /// - Throws: `UserError(.inputOutput)` if there is no run in the folder, `UserError(.data)` if no line of its
    ///   metrics is valid.
    static func open(_ folder: String, pointLimit: Int = ThinnedSeries.defaultLimit) throws -> RunRecord {
        let record = RunRecord(folder: folder, pointLimit: pointLimit)
        switch FileSystem.kind(of: folder) {
        case nil: throw UserError(.inputOutput, "\(folder) does not exist; give the --out_dir of a run")
        case .folder: break
        case .file, .other:
            throw UserError(.inputOutput, "\(folder) is not a folder; give the --out_dir of a run")
        }
        guard record.files.isRun else {
            throw UserError(.inputOutput, "\(folder) is not a run's folder: it has no metrics.jsonl")
        }
        guard FileSystem.kind(of: record.files.metrics) == .file else {
            throw UserError(.data, "\(folder) has no metrics.jsonl: there is nothing to report")
        }
        let isHeld = record.files.isHeld
        try record.readMetrics(isGrowing: isHeld)
        guard record.history.lineCount > record.history.damagedCount || isHeld else {
            let what = record.history.lineCount == 0 ? "is empty" : "has no valid line"
            throw UserError(.data, "\(record.files.metrics) \(what): there is nothing to report")
        }
        record.readConfiguration()
        record.readSamples()
        record.readCheckpoints()
        return record
    }

    func status(isHeld: Bool) -> Status {
        if let outcome = history.end?.outcome { return Status(rawValue: outcome) ?? .lost }
        if isHeld { return .running }
        // Early versions did not write an end event.
        if let values = configuration?.values, iteration >= values.maxIters { return .finished }
        return .lost
    }

    /// The estimated number of seconds until the end; nil if there is no basis for an estimate.
    var remainingSeconds: Double? {
        guard let values = configuration?.values, let step = history.recentStepSeconds else { return nil }
        let evaluations = values.evaluationCount(after: iteration + 1)
        return Double(max(0, values.maxIters - iteration)) * step + Double(evaluations) * history.lastEvaluationSeconds
    }

    func updateCompleted(_ iteration: Int) { completedUpdates = max(completedUpdates, iteration) }

    // MARK: - Reading

    func readMetrics(isGrowing: Bool) throws { try history.read(files.metrics, isGrowing: isGrowing) }

    func readConfiguration() {
        do {
            configuration = try SavedConfiguration(path: files.configuration)
            if configuration?.values == nil { notices.append("\(files.configuration) is not a run's configuration") }
        } catch {
            notices.append("\(error)")
        }
    }

    /// Reads the samples up to the last evaluation. Later ones are stale: a resumed run has not yet replaced what was
    /// written after its checkpoint.
    func readSamples() {
        let last = history.lastEvaluation?.iteration ?? -1
        let iterations = files.sampleIterations.filter { $0 <= last }
        let known = Dictionary(uniqueKeysWithValues: samples.map { ($0.iteration, $0) })
        // A resumed run may have replaced the last sample.
        samples = Self.evenlySpaced(iterations, limit: Self.sampleLimit).compactMap { iteration in
            if iteration != last, let sample = known[iteration] { return sample }
            guard let file = try? MappedFile(path: files.sample(iteration: iteration)) else { return nil }
            let isWhole = file.bytes.count <= Self.sampleBytes
            let text = String(decoding: file.bytes.prefix(Self.sampleBytes), as: UTF8.self)
            return Sample(iteration: iteration, text: isWhole ? text : text + "…")
        }
    }

    func readCheckpoints() {
        let store = files.checkpoints
        let hasBest = FileSystem.kind(of: store.folder + "/best") == .folder
        let best = hasBest ? (try? store.open(.best))?.state.iteration : nil
        let latest = (try? store.open(.latest))?.state.iteration
        let iterations = (try? store.iterations()) ?? []
        checkpoints = iterations.prefix(Self.checkpointLimit).reversed().compactMap { iteration in
            let path = store.path(iteration: iteration)
            guard let state = try? Checkpoint(folder: path).state else { return nil }
            return SavedCheckpoint(
                name: FileSystem.lastComponent(of: path),
                iteration: iteration,
                validationLoss: state.validationLoss,
                isBest: iteration == best,
                isLatest: iteration == latest
            )
        }
    }

    /// At most `limit` of the values, evenly spaced, including the first and the last.
    static func evenlySpaced(_ values: [Int], limit: Int) -> [Int] {
        guard values.count > limit else { return values }
        return (0..<limit).map { values[$0 * (values.count - 1) / (limit - 1)] }
    }
}
