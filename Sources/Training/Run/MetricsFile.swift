import Formats
import Platform
import Transformer

/// `metrics.jsonl`: one JSON object a line for each logged step, each evaluation, each checkpoint and the end, written as it
/// happens.
///
/// ```
/// {"event":"evaluation","iteration":250,"train_loss":1.97,"val_loss":2.05,"best":true,"seconds":0.3}
/// {"event":"step","iteration":250,"loss":2.04,"learning_rate":0.00099,"gradient_norm":0.9,"tokens":192768,…}
/// {"event":"checkpoint","iteration":250,"best":true,"seconds":0.05,"stood_still_seconds":0.01}
/// {"event":"end","iteration":2000,"outcome":"finished"}
/// ```
final class MetricsFile: TrainingObserver {
    private let path: String
    private let descriptor: Int32
    private let note: (String) -> Void
    private var failed = false

    /// A new file, or the file of a run that is resumed, without what that run wrote after the point of the resume.
    ///
    /// - Parameters:
    ///   - resume: the state to go on from.
    ///   - note: told once when a line cannot be written; the run goes on.
    /// - Throws: `UserError(.inputOutput)`.
    init(path: String, resume: CheckpointState?, note: @escaping (String) -> Void) throws {
        if let resume, FileSystem.kind(of: path) == .file {
            try Self.truncate(path, to: resume)
        } else {
            try AtomicFile.write("", to: path)
        }
        self.path = path
        self.note = note
        descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot write", path, errno) }
    }

    deinit { close(descriptor) }

    func stepDone(_ report: StepReport) {
        guard report.isLogged else { return }
        append([
            .init("event", .string("step")),
            .init("iteration", .integer(report.iteration)),
            .init("loss", .number(report.loss)),
            .init("learning_rate", .number(report.learningRate)),
            .init("gradient_norm", .number(report.gradientNorm)),
            .init("tokens", .integer(report.tokens)),
            .init("seconds", .number(report.seconds)),
            .init("waiting_seconds", .number(report.waitingSeconds)),
            .init("communication_seconds", .number(report.communicationSeconds)),
            .init("tokens_per_second", .number(report.tokensPerSecond)),
            .init("mfu", .number(report.peakShare)),
        ])
    }

    func evaluationDone(_ report: EvaluationReport, model: GPT) {
        func optional(_ name: String, _ value: Double?) -> [JSONValue.Member] {
            value.map { [.init(name, .number($0))] } ?? []
        }
        append(
            [
                .init("event", .string("evaluation")),
                .init("iteration", .integer(report.iteration)),
                .init("train_loss", .number(report.losses.train)),
                .init("val_loss", report.losses.validation.map { .number($0) } ?? .null),
            ] + optional("train_optimum", report.losses.trainOptimum)
                + optional("val_optimum", report.losses.validationOptimum)
                + optional("train_bits_per_byte", report.losses.trainBitsPerByte)
                + optional("val_bits_per_byte", report.losses.validationBitsPerByte)
                + [.init("best", .bool(report.isBest)), .init("seconds", .number(report.seconds))]
        )
    }

    func checkpointSaved(_ report: SaveReport) {
        append([
            .init("event", .string("checkpoint")),
            .init("iteration", .integer(report.checkpoint.state.iteration)),
            .init("best", .bool(report.isBest)),
            .init("seconds", .number(report.seconds)),
            .init("stood_still_seconds", .number(report.stoodStillSeconds)),
        ])
    }

    func runEnded(_ end: RunEnd, iteration: Int) {
        let (outcome, error): (String, String?) =
            switch end {
            case .finished: ("finished", nil)
            case .stopped: ("stopped", nil)
            case .failed(let error): ("failed", error)
            }
        append(
            [
                .init("event", .string("end")), .init("iteration", .integer(iteration)),
                .init("outcome", .string(outcome)),
            ] + (error.map { [.init("error", .string($0))] } ?? [])
        )
    }

    private func append(_ members: [JSONValue.Member]) {
        let bytes = Array((JSONValue.object(members).text() + "\n").utf8)
        // One call a line: a line is there or not, whatever happens to the process.
        guard write(descriptor, bytes, bytes.count) != bytes.count, !failed else { return }
        failed = true
        note("warning: cannot write \(path): \(errorText(errno)); metrics are not written from here on")
    }

    /// Keeps what an uninterrupted run would have written before the point of the resume.
    private static func truncate(_ path: String, to state: CheckpointState) throws {
        let lines = String(decoding: try FileSystem.read(path), as: UTF8.self).split(separator: "\n")
        let kept = lines.filter { line in
            // The last line of a killed process may be half a line.
            guard let json = try? JSONValue(parsing: Array(line.utf8)), let iteration = json["iteration"]?.integerValue
            else { return false }
            guard iteration == state.iteration else {
                return iteration < state.iteration && json["event"] != .string("end")
            }
            switch json["event"]?.stringValue {
            case "evaluation": return state.validationLoss != nil
            case "checkpoint": return true
            default: return false
            }
        }
        try AtomicFile.write(kept.map { $0 + "\n" }.joined(), to: path)
    }
}
