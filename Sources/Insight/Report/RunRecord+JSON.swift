import Configuration
import Formats
import Platform
import Training

extension RunRecord {
    /// The run as JSON, for the page and for `report --json`.
    func json(status: Status) -> JSONValue {
        .object([
            .init("name", .string(FileSystem.lastComponent(of: folder))),
            .init("folder", .string(folder)),
            .init("status", .string(status.rawValue)),
            .init("error", history.end?.error.map { .string($0) } ?? .null),
            .init("iteration", .integer(iteration)),
            .init("max_iters", configuration?.values.map { .integer($0.maxIters) } ?? .null),
            .init("remaining_seconds", status == .running ? Self.number(remainingSeconds) : .null),
            .init("quiet_seconds", status == .running ? .number(quietSeconds) : .null),
            .init("last_write", lastWrite.map { .integer($0) } ?? .null),
            .init("tokens", history.tokens.map { .integer($0) } ?? .null),
            .init("dataset", configuration?.values.map { .string($0.dataset) } ?? .null),
            .init("best", Self.json(history.best)),
            .init("last", Self.json(history.lastEvaluation)),
            .init("time", timeJSON),
            .init("series", seriesJSON),
            .init("samples", .array(samples.map(Self.json))),
            .init("checkpoints", .array(checkpoints.map(Self.json))),
            .init("configuration", .array((configuration?.entries ?? []).map(Self.json))),
            .init("notices", .array(allNotices.map { .string($0) })),
        ])
    }

    /// `notices`, and one line about damaged lines in the metrics.
    var allNotices: [String] {
        guard history.damagedCount > 0 else { return notices }
        let (count, line) = (history.damagedCount, history.firstDamagedLine ?? 0)
        let what = count == 1 ? "line \(line) is" : "\(count) lines (the first is line \(line)) are"
        return notices + ["\(files.metrics): \(what) damaged and skipped"]
    }

    /// The number of seconds without a write after which a running run looks stuck: three times the time of an update
    /// and an evaluation, at least two minutes.
    private var quietSeconds: Double {
        max(120, 3 * ((history.recentStepSeconds ?? 0) + history.lastEvaluationSeconds))
    }

    /// The time of the last write to the metrics, in seconds since 1970.
    private var lastWrite: Int? { try? FileSystem.modificationSeconds(of: files.metrics) }

    private var timeJSON: JSONValue {
        let time = history.time
        return .object([
            .init("updates", .number(time.updates)),
            .init("waiting", .number(time.waiting)),
            .init("communication", .number(time.communication)),
            .init("evaluations", .number(time.evaluations)),
            .init("saving", .number(time.saving)),
        ])
    }

    /// For each series, the number of values and the points that were kept. A thinned series also has the lowest, mean
    /// and highest value of each stretch.
    private var seriesJSON: JSONValue {
        .object(
            RunHistory.Name.allCases.map { name in
                let series = history.series[name]!
                var members: [JSONValue.Member] = [
                    .init("count", .integer(series.count)), .init("points", Self.json(series.points)),
                ]
                if series.isThinned {
                    let stretches = series.stretches
                    members += [
                        .init("low", Self.json(stretches.map(\.low))),
                        .init("mean", Self.json(stretches.map(\.mean))),
                        .init("high", Self.json(stretches.map(\.high))),
                    ]
                }
                return .init(name.rawValue, .object(members))
            }
        )
    }

    private static func json(_ points: [ThinnedSeries.Point]) -> JSONValue {
        .array(points.map { .array([.integer($0.x), .number($0.y)]) })
    }

    private static func number(_ value: Double?) -> JSONValue {
        value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null
    }

    private static func json(_ evaluation: RunHistory.Evaluation?) -> JSONValue {
        guard let evaluation else { return .null }
        return .object([
            .init("iteration", .integer(evaluation.iteration)),
            .init("train_loss", .number(evaluation.trainLoss)),
            .init("val_loss", number(evaluation.validationLoss)),
            .init("val_bits_per_byte", number(evaluation.bitsPerByte)),
            .init("val_optimum", number(evaluation.optimum)),
        ])
    }

    private static func json(_ sample: Sample) -> JSONValue {
        .object([.init("iteration", .integer(sample.iteration)), .init("text", .string(sample.text))])
    }

    private static func json(_ checkpoint: SavedCheckpoint) -> JSONValue {
        .object([
            .init("name", .string(checkpoint.name)),
            .init("iteration", .integer(checkpoint.iteration)),
            .init("val_loss", number(checkpoint.validationLoss)),
            .init("best", .bool(checkpoint.isBest)),
            .init("latest", .bool(checkpoint.isLatest)),
        ])
    }

    private static func json(_ entry: SavedConfiguration.Entry) -> JSONValue {
        .object([
            .init("group", .string(entry.group)),
            .init("name", .string(entry.name)),
            .init("value", .string(entry.value)),
            .init("origin", .string(entry.origin)),
        ])
    }
}
