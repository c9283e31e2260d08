import Formats
import Platform
import Training
import Transformer

/// Writes a run's metrics as TensorBoard events. `tensorboard --logdir out` shows them during the run.
///
/// | tag | content |
/// | --- | --- |
/// | train/loss, train/learning_rate, train/gradient_norm, train/tokens_per_second, train/mfu | logged steps |
/// | eval/train_loss, eval/val_loss, and if known eval/val_bits_per_byte, eval/val_optimum | evaluations |
/// | sample | the text generated at an evaluation |
/// | configuration | the run's config.toml |
///
/// A resumed run starts a new file. TensorBoard then ignores later steps of the earlier files.
package final class TensorBoardLog: TrainingObserver {
    private let files: RunFiles
    private let note: (String) -> Void
    /// Opened at the first event, when the run has taken its folder.
    private var file: EventFile?
    private var failed = false

    /// - Parameters:
    ///   - outputFolder: `out_dir`. The events are written to `tensorboard/` in it.
    ///   - note: receives one warning if events cannot be written. The run continues.
    package init(outputFolder: String, note: @escaping (String) -> Void) {
        files = RunFiles(folder: outputFolder)
        self.note = note
    }

    /// Appends the step's scalars if the step is logged.
    package func stepDone(_ report: StepReport) {
        guard report.isLogged else { return }
        append(
            step: report.iteration,
            scalars: [
                ("train/loss", report.loss), ("train/learning_rate", report.learningRate),
                ("train/gradient_norm", report.gradientNorm), ("train/tokens_per_second", report.tokensPerSecond),
                ("train/mfu", report.peakShare),
            ]
        )
    }

    /// Appends the losses, and the sample if there is one.
    package func evaluationDone(_ report: EvaluationReport, model: GPT) {
        let losses = report.losses
        append(
            step: report.iteration,
            scalars: Self.known([
                ("eval/train_loss", losses.train), ("eval/val_loss", losses.validation),
                ("eval/val_bits_per_byte", losses.validationBitsPerByte),
                ("eval/val_optimum", losses.validationOptimum),
            ]),
            texts: sample(report.iteration)
        )
    }

    private static func known(_ values: [(tag: String, value: Double?)]) -> [(tag: String, value: Double)] {
        values.compactMap { entry in entry.value.map { (entry.tag, $0) } }
    }

    /// The sample of the evaluation at `iteration`; empty if there is none.
    private func sample(_ iteration: Int) -> [(tag: String, text: String)] {
        guard let bytes = try? FileSystem.read(files.sample(iteration: iteration)) else { return [] }
        return [("sample", Self.verbatim(String(decoding: bytes, as: UTF8.self)))]
    }

    private func append(
        step: Int,
        scalars: [(tag: String, value: Double)],
        texts: [(tag: String, text: String)] = []
    ) {
        guard !failed else { return }
        do {
            try opened(at: step).append(step: step, scalars: scalars, texts: texts)
        } catch {
            failed = true
            note("warning: TensorBoard events are no longer written: \(error)")
        }
    }

    private func opened(at step: Int) throws -> EventFile {
        if let file { return file }
        let file = try EventFile(folder: files.tensorBoard, restart: step > 0 ? step : nil)
        self.file = file
        if step > 0 { try repeatEvaluation(at: step, in: file) }
        if let configuration = try? FileSystem.read(files.configuration) {
            let text = Self.verbatim(String(decoding: configuration, as: UTF8.self))
            try file.append(step: step, texts: [("configuration", text)])
        }
        return file
    }

    /// Repeats the evaluation at the checkpoint from which the run resumed. The restart makes TensorBoard ignore the
    /// earlier file's events from this step on, and a resumed run does not evaluate at this step again.
    private func repeatEvaluation(at step: Int, in file: EventFile) throws {
        guard let metrics = try? FileSystem.read(files.metrics) else { return }
        for line in metrics.split(separator: UInt8(ascii: "\n")) {
            guard let row = try? JSONValue(parsing: Array(line)), row["event"] == .string("evaluation"),
                row["iteration"] == .integer(step)
            else { continue }
            let names = ["train_loss", "val_loss", "val_bits_per_byte", "val_optimum"]
            let values = names.map { (tag: "eval/" + $0, value: row[$0]?.numberValue) }
            try file.append(step: step, scalars: Self.known(values), texts: sample(step))
        }
    }

    /// Formats text as a Markdown code block, which keeps line breaks.
    private static func verbatim(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }.joined(separator: "\n")
    }
}
