import Collectives
import Platform
import Transformer

extension Trainer {
    /// Runs to the end, or until a stop is requested.
    ///
    /// - Throws: `UserError(.other)` when loss or gradient are no longer finite, with iteration, learning rate and gradient
    ///   norm; nothing was changed by that step then. `UserError(.inputOutput)` when the last save failed.
    public func run() throws -> Outcome {
        try communicator.board.during(.computing, .computing) { try runAll() }
    }

    private func runAll() throws -> Outcome {
        for line in header.lines { output.line(line) }
        if values.evalOnly {
            return try evaluate() == nil ? .stopped : .finished
        }
        if iteration > 0 { output.line(resumeLine) }
        let outcome: Outcome
        do {
            outcome = try loop()
        } catch {
            // What is being written was sound, and the folder is not to be left with somebody at work in it.
            try? collectSave(waiting: true)
            // What was recorded may show what went wrong; that is what the user has to hear of.
            writeTrace(.failed)
            tellEnd(.failed("\(error)"))
            throw error
        }
        writeTrace(.ended)
        try replicas.check(model, at: "the end")
        tellEnd(outcome == .finished ? .finished : .stopped)
        switch outcome {
        case .stopped: output.line("stopped at iteration \(iteration); go on with --init_from=resume")
        case .finished:
            let repetition =
                ledger.hasChangedCourse
                ? "no one command repeats them, as the run was resumed with other options, ranks or order of data"
                : "repeat with: \(configuration.command(ranks: communicator.worldSize))"
            // It counts no parts, but uses the processor.
            let hash = communicator.board.during(.computing, .preparing) { model.parameterHash }
            output.line("parameters \(hash.prefix(16)); \(repetition)")
        }
        return outcome
    }

    private var resumeLine: String {
        guard iteration >= values.maxIters else { return "resumed at iteration \(iteration)" }
        return """
            nothing to do: the run is at iteration \(iteration), and max_iters=\(values.maxIters); give a larger --max_iters to \
            train on, and --lr_decay_iters to go with it
            """
    }

    private func tellEnd(_ end: RunEnd) {
        tell { $0.runEnded(end, iteration: iteration) }
    }

    /// Observers write files, and a call may take long on slow storage.
    func tell(_ body: (any TrainingObserver) -> Void) {
        communicator.board.during(.writingLogs, .saving) {
            for observer in observers { body(observer) }
        }
    }

    private func loop() throws -> Outcome {
        // Unless the only save is the one at the end, which needs no copy.
        if header.memory.hasRoomForCopy, iteration + values.evalInterval < values.maxIters {
            saver?.prepareCopy(for: step.optimizer.state)
        }
        var toldExpected = false
        while true {
            if isEvaluationDue, !ledger.isEvaluated(iteration) { try evaluateAndSave() }
            guard !isStopping else {
                try collectSave(waiting: true)
                if ledger.lastSaved != iteration { try save(isBest: false, isLast: true) }
                return .stopped
            }
            guard iteration < values.maxIters else { return .finished }
            try makeUpdate()
            try collectSave(waiting: false)
            if !toldExpected, clock.isSettled, iteration < values.maxIters {
                toldExpected = true
                tellExpectedLength()
            }
        }
    }

    /// Alone, a wish to stop counts at once; among several ranks, when all have heard of it.
    private var isStopping: Bool { stops || communicator.worldSize == 1 && stop.isRequested }

    private var isEvaluationDue: Bool { iteration % values.evalInterval == 0 || iteration >= values.maxIters }

    // MARK: Steps

    private func makeUpdate() throws {
        let start = ContinuousClock.now
        let (waited, communicated) = (communicator.waited, communicator.communicated)
        let result: TrainingStep.Result
        do {
            let update = { [self] in
                try step.update(
                    iteration,
                    stop: stop,
                    progress: { sequences in output.progress(stepProgress(sequences)) }
                )
            }
            result = try trace?.around(iteration, step, update) ?? update()
        } catch is TrainingStep.Abandoned {
            stops = true
            return
        } catch let error as TrainingStep.NonFinite {
            throw communicator.common(notFinite(error))
        }
        stops = stops || result.stops
        clock.stepTook(
            start.secondsAgo,
            waiting: (communicator.waited - waited) / .seconds(1),
            communication: (communicator.communicated - communicated) / .seconds(1)
        )
        let isLogged = iteration % values.logInterval == 0
        let means = clock.lapMeans(restart: isLogged)
        let tokensPerSecond = Double(values.tokensPerIteration) / means.seconds
        let report = StepReport(
            iteration: iteration,
            loss: result.loss,
            learningRate: result.learningRate,
            gradientNorm: result.gradientNorm,
            tokens: (iteration + 1) * values.tokensPerIteration,
            isLogged: isLogged,
            seconds: means.seconds,
            waitingSeconds: means.waiting,
            communicationSeconds: means.communication,
            tokensPerSecond: tokensPerSecond,
            peakShare: tokensPerSecond * model.configuration.operationsPerToken / header.peak
        )
        iteration += 1
        tell { $0.stepDone(report) }
        lastLoss = result.loss
        if values.checkInterval > 0, iteration % values.checkInterval == 0 {
            try replicas.check(model, at: "iteration \(iteration)")
        }
        writeTrace(.goesOn)
    }

    /// A run does not end for the want of its trace.
    private func writeTrace(_ run: StepTrace.RunState) {
        do {
            let line = try communicator.board.during(.writingLogs, .saving) { try trace?.write(run) }
            if let line { output.line(line) }
        } catch {
            output.note("warning: the profile was not written: \(error)")
        }
    }

    private func notFinite(_ error: TrainingStep.NonFinite) -> UserError {
        let what = error.loss.isFinite ? "the gradient is not finite" : "the loss is \(Numbers.short(error.loss))"
        return UserError(
            .other,
            """
            iteration \(error.iteration): \(what) (learning rate \(Numbers.short(error.learningRate)), gradient norm \
            \(Numbers.short(error.gradientNorm))); the update was not made, \(lastCheckpoint); try a lower \
            --learning_rate or a longer --warmup_iters
            """
        )
    }

    /// Where a user finds what was saved last.
    var lastCheckpoint: String {
        guard let iteration = try? folder?.checkpoints.iterations().first, let folder else {
            return "there is no checkpoint yet"
        }
        return "the last checkpoint is \(folder.checkpoints.path(iteration: iteration))"
    }

    // MARK: Evaluations

    /// - Returns: nil when it was cut short by a request to stop.
    private func evaluate() throws -> EvaluationReport? {
        let start = ContinuousClock.now
        let losses = try evaluation.losses(
            of: model,
            communicator: communicator,
            on: values.evalOn,
            progress: { share in
                output.progress(
                    "iteration \(iteration): evaluating, \(Int(share * 100))%\(remaining(after: iteration))"
                )
            },
            stop: stop
        )
        guard let losses else {
            stops = true
            return nil
        }
        guard losses.train.isFinite, losses.validation?.isFinite ?? true else {
            let validation = losses.validation.map { ", val \(Numbers.short($0))" } ?? ""
            throw communicator.common(
                UserError(
                    .other,
                    """
                    step \(iteration): the loss is not finite (train \(Numbers.short(losses.train))\(validation)); \
                    \(lastCheckpoint)
                    """
                )
            )
        }
        clock.evaluationTook(start.secondsAgo)
        let report = EvaluationReport(
            iteration: iteration,
            losses: losses,
            isBest: ledger.isBest(losses.validation),
            seconds: start.secondsAgo
        )
        tell { $0.evaluationDone(report, model: model) }
        return report
    }

    private func evaluateAndSave() throws {
        // Whether this one will be the best depends on how it ended.
        try collectSave(waiting: true)
        guard let report = try evaluate() else { return }
        ledger.evaluated(iteration, validationLoss: report.losses.validation)
        let isEnd = iteration >= values.maxIters
        // Without validation data no checkpoint is better than another one: each is saved.
        let isWanted = report.isBest || report.losses.validation == nil || values.alwaysSaveCheckpoint
        guard iteration > 0 || isEnd, isWanted || isEnd else { return }
        try save(isBest: report.isBest, isLast: isEnd)
    }

    // MARK: Time

    private func stepProgress(_ sequences: Int) -> String {
        let loss = lastLoss.map { ", loss \(Numbers.fixed($0, 4))" } ?? ""
        let rate = clock.secondsPerStep.map {
            ", \(Numbers.fixed(Double(values.tokensPerIteration) / $0, 0)) tok/s"
        }
        let part =
            step.sequences > values.batchSize || (clock.secondsPerStep ?? 1) > 1
            ? ", \(sequences) of \(step.sequences) sequences" : ""
        // What is wanted most comes first: a narrow terminal shows the beginning.
        return "iter \(iteration) of \(values.maxIters)\(loss)\(remaining(after: iteration))\(rate ?? "")\(part)"
    }

    private func remaining(after iteration: Int) -> String {
        let evaluations = values.evaluationCount(after: iteration + 1)
        guard let seconds = clock.seconds(steps: values.maxIters - iteration, evaluations: evaluations) else {
            return ""
        }
        return ", \(RunClock.text(seconds: seconds)) left"
    }

    private func tellExpectedLength() {
        let evaluations = values.evaluationCount(after: iteration)
        guard let seconds = clock.seconds(steps: values.maxIters - iteration, evaluations: evaluations) else { return }
        output.line(
            "this run: \(RunClock.text(seconds: seconds))\(RunHeader.advice(seconds: seconds, model: model.configuration))"
        )
    }
}
