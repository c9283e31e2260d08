import Platform
import Transformer

/// Prints what a run does, in nanoGPT's lines where nanoGPT has them.
final class RunConsole: TrainingObserver {
    private let output: RunOutput

    init(output: RunOutput) { self.output = output }

    func stepDone(_ report: StepReport) {
        guard report.isLogged, !output.linesGoToTerminal else { return }
        output.line(Self.line(report))
    }

    func evaluationDone(_ report: EvaluationReport, model: GPT) {
        output.line(Self.line(report))
        if let train = report.losses.trainBitsPerByte, let validation = report.losses.validationBitsPerByte {
            output.line("bits per byte: train \(Numbers.fixed(train, 4)), val \(Numbers.fixed(validation, 4))")
        }
        if let optimum = report.losses.validationOptimum, let validation = report.losses.validation {
            let above = (validation / optimum - 1) * 100
            output.line(
                "optimum: \(Numbers.fixed(optimum, 4)) on the same validation tokens; "
                    + "the model is \(Numbers.fixed(abs(above), 1))% "
                    + (above < 0
                        ? "below it: past chance, only a model that sees what it is to predict can be" : "above it")
            )
        }
    }

    func checkpointSaved(_ report: SaveReport) {
        var line = "saved \(report.checkpoint.folder)\(report.isBest ? " (best)" : "")"
        if report.seconds > 1 {
            let stoodStill = Numbers.fixed(report.stoodStillSeconds, 2)
            line += " in \(Numbers.fixed(report.seconds, 1)) s, of which training stood still \(stoodStill) s"
        }
        output.line(line)
    }

    static func line(_ report: StepReport) -> String {
        """
        iter \(report.iteration): loss \(Numbers.fixed(report.loss, 4)), time \(Numbers.fixed(report.seconds * 1000, 2))ms, \
        tok/s \(Numbers.fixed(report.tokensPerSecond, 0)), mfu \(Numbers.fixed(report.peakShare * 100, 2))%
        """
    }

    static func line(_ report: EvaluationReport) -> String {
        let validation = report.losses.validation.map { ", val loss \(Numbers.fixed($0, 4))" } ?? ""
        return "step \(report.iteration): train loss \(Numbers.fixed(report.losses.train, 4))\(validation)"
    }
}
