import Configuration
import Platform

extension Trainer {
    /// Saves, in the background where something is left to be done meanwhile and there is memory for a copy.
    ///
    /// - Parameter isLast: whether there is no later save that could make up for this one.
    /// - Throws: `UserError(.inputOutput)` when it fails, is the last, or must not fail.
    func save(isBest: Bool, isLast: Bool) throws {
        guard let saver else { return }
        try communicator.board.during(.savingCheckpoint, .saving) { try save(isBest: isBest, isLast: isLast, saver) }
    }

    private func save(isBest: Bool, isLast: Bool, _ saver: CheckpointSaver) throws {
        output.progress("iteration \(iteration): saving")
        var state = CheckpointState(
            iteration: iteration,
            model: model.configuration,
            bestValidationLoss: ledger.bestValidationLoss,
            validationLoss: ledger.validationLoss(at: iteration),
            options: configuration.arguments(named: ConfigurationKey.all),
            dataset: dataset.name,
            datasetHash: dataset.fingerprint,
            seed: values.seed,
            worldSize: communicator.worldSize
        )
        state.hasChangedCourse = ledger.hasChangedCourse
        state.epochCoversTail = step.sampler.epochCoversTail
        let numbers = CheckpointValues(model, step.optimizer.state)
        if header.memory.hasRoomForCopy, !isLast {
            saver.begin(state, numbers, isBest: isBest, pool: model.pool)
        } else {
            let worked = communicator.board.worked
            try conclude(saver.save(state, numbers, isBest: isBest, progress: worked), isLast: isLast)
        }
    }

    /// Takes note of a save in the background that has ended, or waits for its end.
    ///
    /// - Throws: `UserError(.inputOutput)` when it failed and must not.
    func collectSave(waiting: Bool) throws {
        guard let saver, saver.hasBegun else { return }
        if waiting { output.progress("iteration \(iteration): saving") }
        try communicator.board.during(.savingCheckpoint, .saving) {
            guard let ended = saver.collect(waiting: waiting, progress: communicator.board.worked) else { return }
            try conclude(ended, isLast: false)
        }
    }

    private func conclude(_ save: EndedSave, isLast: Bool) throws {
        let iteration = save.state.iteration
        switch save.result {
        case .success(let checkpoint):
            ledger.saved(iteration)
            if let warning = save.warning { output.note("warning: \(warning)") }
            try folder?.checkpointSaved()
            let report = SaveReport(
                checkpoint: checkpoint,
                isBest: save.isBest,
                seconds: save.seconds,
                stoodStillSeconds: save.stoodStillSeconds
            )
            tell { $0.checkpointSaved(report) }
        case .failure(let error):
            ledger.saveFailed(isBest: save.isBest)
            let message = "iteration \(iteration) was not saved: \(error.message); \(lastCheckpoint)"
            guard !isLast, values.saveFailure == .continue else { throw UserError(.inputOutput, message) }
            output.note("warning: \(message); the next save is at the next evaluation")
        }
    }
}
