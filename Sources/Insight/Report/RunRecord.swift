import Configuration
import Platform
import Training

/// A run as its folder shows it: what is written there is read, and read again only where it is new.
final class RunRecord {
    let files: RunFiles
    /// As the user named it.
    var folder: String { files.folder }
    private(set) var history: RunHistory
    private(set) var configuration: SavedConfiguration?
    private(set) var samples: [Sample] = []
    private(set) var checkpoints: [SavedCheckpoint] = []
    /// What could not be read, in lines for people.
    private(set) var notices: [String] = []
    var title: String { "run \(FileSystem.lastComponent(of: folder))" }
    /// Updates made, which may be more than lines tell.
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
        /// No process is at work, and none has said how it ended.
        case lost
    }

    /// Samples that a page has at most, evenly spread over the run, and bytes of each.
    static let sampleLimit = 50
    static let sampleBytes = 4000
    private static let checkpointLimit = 100

    /// - Parameter pointLimit: points of a series at most.
    init(folder: String, pointLimit: Int = ThinnedSeries.defaultLimit) {
        files = RunFiles(folder: folder)
        history = RunHistory(limit: pointLimit)
    }

    /// Opens a run that a user named, and reads all of it.
    ///
    /// - Throws: `UserError(.inputOutput)` when there is no run, `UserError(.data)` when it has logged nothing that can be read.
    static func open(_ folder: String, pointLimit: Int = ThinnedSeries.defaultLimit) throws -> RunRecord {
        let record = RunRecord(folder: folder, pointLimit: pointLimit)
        switch FileSystem.kind(of: folder) {
        case nil: throw UserError(.inputOutput, "there is no folder \(folder); a run's folder is its --out_dir")
        case .folder: break
        case .file, .other:
            throw UserError(.inputOutput, "\(folder) is not a folder; a run is named by its --out_dir")
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
            let what = record.history.lineCount == 0 ? "is empty" : "has no line that can be read"
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
        // The first runs did not say that they had ended.
        if let values = configuration?.values, iteration >= values.maxIters { return .finished }
        return .lost
    }

    /// Seconds until the end; nil when that cannot be told.
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

    /// Those of the run's own evaluations: a resumed run has not yet replaced what was written after its checkpoint.
    func readSamples() {
        let last = history.lastEvaluation?.iteration ?? -1
        let iterations = files.sampleIterations.filter { $0 <= last }
        let known = Dictionary(uniqueKeysWithValues: samples.map { ($0.iteration, $0) })
        // The last one may have been replaced by a resumed run.
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

    /// At most so many of the values, evenly spread, first and last among them.
    static func evenlySpaced(_ values: [Int], limit: Int) -> [Int] {
        guard values.count > limit else { return values }
        return (0..<limit).map { values[$0 * (values.count - 1) / (limit - 1)] }
    }
}
