import Formats
import Platform

/// The contents of a run's `metrics.jsonl` in bounded memory: thinned series and totals.
///
/// Each call of `read` continues where the previous one stopped.
struct RunHistory {
    /// The series by name.
    private(set) var series: [Name: ThinnedSeries]
    /// The number of updates made, according to the lines read.
    private(set) var iteration = 0
    private(set) var tokens: Int?
    private(set) var best: Evaluation?
    private(set) var lastEvaluation: Evaluation?
    private(set) var end: End?
    private(set) var time = Time()
    /// Moving average of the seconds per update, used to estimate the remaining time.
    private(set) var recentStepSeconds: Double?
    private(set) var lastEvaluationSeconds = 0.0
    /// Lines read, including damaged ones.
    private(set) var lineCount = 0
    private(set) var damagedCount = 0
    private(set) var firstDamagedLine: Int?

    /// Bytes read.
    private var offset = 0
    /// The iteration of the last line of a step.
    private var lastStep: Int?
    private var tokensPerUpdate: Int?
    private let limit: Int

    enum Name: String, CaseIterable {
        case loss, learningRate = "learning_rate", gradientNorm = "gradient_norm"
        case tokensPerSecond = "tokens_per_second", mfu
        case trainLoss = "train_loss", validationLoss = "val_loss"
        case validationBitsPerByte = "val_bits_per_byte", validationOptimum = "val_optimum"

        static let steps: [Name] = [.loss, .learningRate, .gradientNorm, .tokensPerSecond, .mfu]
        static let evaluations: [Name] = [.trainLoss, .validationLoss, .validationBitsPerByte, .validationOptimum]
    }

    struct Evaluation: Equatable {
        var iteration: Int
        var trainLoss: Double
        /// Nil if the dataset has no validation data.
        var validationLoss: Double?
        var bitsPerByte: Double?
        var optimum: Double?
    }

    struct End: Equatable {
        var iteration: Int
        /// `finished`, `stopped` or `failed`.
        var outcome: String
        var error: String?
    }

    /// Seconds by activity, summed over all processes of the run.
    struct Time: Equatable {
        var updates = 0.0
        /// The part of `updates` spent waiting for other ranks.
        var waiting = 0.0
        /// Time of the communication thread, most of which overlaps with updates.
        var communication = 0.0
        var evaluations = 0.0
        /// Time in which saving blocked training.
        var saving = 0.0
    }

    /// - Parameter limit: the maximum number of points per series.
    init(limit: Int = ThinnedSeries.defaultLimit) {
        self.limit = limit
        series = Dictionary(uniqueKeysWithValues: Name.allCases.map { ($0, ThinnedSeries(limit: limit)) })
    }

    /// Reads the new lines of the file.
    ///
    /// - Parameter isGrowing: whether a process may still complete an unfinished last line. Otherwise that line counts
    ///   as damaged.
    /// - Throws: `UserError(.inputOutput)` if the file cannot be read.
    mutating func read(_ path: String, isGrowing: Bool) throws {
        let file = try MappedFile(path: path)
        let bytes = file.bytes
        // A shorter file belongs to a new run in the same folder.
        if bytes.count < offset { self = RunHistory(limit: limit) }
        var released = offset
        while offset < bytes.count {
            let rest = bytes[offset...]
            let newline = rest.firstIndex(of: UInt8(ascii: "\n"))
            if newline == nil, isGrowing { break }
            consume(UnsafeRawBufferPointer(rebasing: rest[..<(newline ?? rest.endIndex)]))
            offset = (newline ?? rest.endIndex - 1) + 1
            if offset - released > 1 << 24 {
                file.release(released..<offset)
                released = offset
            }
        }
        withExtendedLifetime(file) {}
    }

    private mutating func consume(_ line: UnsafeRawBufferPointer) {
        lineCount += 1
        guard !line.isEmpty else { return }
        let row = try? JSONValue(parsing: line)
        // Later versions may write other events.
        if let event = row?["event"]?.stringValue, !Self.events.contains(event) { return }
        guard let row, let iteration = row["iteration"]?.integerValue, iteration >= 0,
            iteration <= Int(Int32.max), consume(row, iteration)
        else {
            damagedCount += 1
            firstDamagedLine = firstDamagedLine ?? lineCount
            return
        }
    }

    private static let events: Set = ["step", "evaluation", "checkpoint", "end"]

    /// - Returns: false if a required member is missing.
    private mutating func consume(_ row: JSONValue, _ iteration: Int) -> Bool {
        func number(_ name: String) -> Double? {
            row[name]?.numberValue.flatMap { $0.isFinite ? $0 : nil }
        }
        // Absurd times of a damaged line must not distort or overflow the sums.
        func seconds(_ name: String) -> Double? { number(name).flatMap { (0...1e6).contains($0) ? $0 : nil } }
        switch row["event"]?.stringValue {
        case "step":
            guard number("loss") != nil else { return false }
            for name in Name.steps { series[name]!.append(iteration, number(name.rawValue)) }
            addTime(iteration, seconds)
            tokens = row["tokens"]?.integerValue ?? tokens
            tokensPerUpdate = tokens.map { $0 / (iteration + 1) }
            self.iteration = max(self.iteration, iteration + 1)
        case "evaluation":
            countTokens(upTo: iteration)
            guard let train = number("train_loss"), let found = row["val_loss"] else { return false }
            let validation = number("val_loss")
            guard validation != nil || found == .null else { return false }
            for name in Name.evaluations { series[name]!.append(iteration, number(name.rawValue)) }
            let evaluation = Evaluation(
                iteration: iteration,
                trainLoss: train,
                validationLoss: validation,
                bitsPerByte: number("val_bits_per_byte"),
                optimum: number("val_optimum")
            )
            lastEvaluation = evaluation
            if let validation, validation < best?.validationLoss ?? .infinity { best = evaluation }
            lastEvaluationSeconds = seconds("seconds") ?? 0
            time.evaluations += lastEvaluationSeconds
            self.iteration = max(self.iteration, iteration)
        case "checkpoint":
            time.saving += seconds("stood_still_seconds") ?? 0
            return true
        case "end":
            guard let outcome = row["outcome"]?.stringValue else { return false }
            countTokens(upTo: iteration)
            end = End(iteration: iteration, outcome: outcome, error: row["error"]?.stringValue)
            return true
        default: return false
        }
        // Lines after an end mean that the run was resumed.
        end = nil
        return true
    }

    /// Estimates the tokens up to `iteration`, because not every update has a line.
    private mutating func countTokens(upTo iteration: Int) {
        guard let tokens, let tokensPerUpdate else { return }
        let (all, isTooLarge) = tokensPerUpdate.multipliedReportingOverflow(by: iteration)
        if !isTooLarge { self.tokens = max(tokens, all) }
    }

    /// Adds the time of a step's line, which holds means over all updates since the previous line.
    private mutating func addTime(_ iteration: Int, _ seconds: (String) -> Double?) {
        let updates = Double(max(1, iteration - (lastStep ?? iteration - 1)))
        lastStep = iteration
        guard let whole = seconds("seconds") else { return }
        time.updates += updates * whole
        time.waiting += updates * (seconds("waiting_seconds") ?? 0)
        time.communication += updates * (seconds("communication_seconds") ?? 0)
        recentStepSeconds = recentStepSeconds.map { $0 + (whole - $0) / 10 } ?? whole
    }
}
