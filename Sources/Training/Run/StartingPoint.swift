import Collectives
import Configuration
import Datasets
import Formats
import Transformer

/// Where a run begins, as rank 0 has found it out from checkpoints, weights and data; the others take it over.
struct StartingPoint {
    /// The form of a checkpoint's `state.json`.
    let state: CheckpointState
    let isResumed: Bool

    /// - Parameters:
    ///   - resumed: the state of the checkpoint that is gone on with.
    ///   - weights: the shape of the weights that a new run begins with.
    init(
        _ configuration: ResolvedConfiguration,
        vocabularySize: Int,
        resumed: CheckpointState?,
        weights: GPTConfiguration? = nil,
        dataset: Dataset
    ) {
        isResumed = resumed != nil
        var model = configuration.values.model(vocabularySize: vocabularySize)
        if let given = resumed?.model ?? weights { model.copySettingsWithoutOption(from: given) }
        var state = CheckpointState(
            iteration: resumed?.iteration ?? 0,
            model: model,
            bestValidationLoss: resumed?.bestValidationLoss,
            validationLoss: resumed?.validationLoss,
            options: configuration.arguments(named: ConfigurationKey.all),
            dataset: dataset.name,
            datasetHash: dataset.fingerprint,
            seed: configuration.values.seed
        )
        state.epochCoversTail = resumed?.epochCoversTail ?? true
        self.state = state
    }

    private init(state: CheckpointState, isResumed: Bool) {
        self.state = state
        self.isResumed = isResumed
    }

    /// That of rank 0, on every rank.
    ///
    /// - Throws: `CollectiveError.failed`.
    func shared(_ communicator: Communicator) throws -> StartingPoint {
        guard communicator.worldSize > 1 else { return self }
        let text = (isResumed ? "+" : "-") + state.json(files: [:]).text()
        let message = try communicator.broadcast(message: Array(text.utf8))
        let json = try JSONValue(parsing: Array(message.dropFirst()))
        return StartingPoint(
            state: try CheckpointState.read(json, path: "what \(communicator.members[0]) sent").state,
            isResumed: message.first == UInt8(ascii: "+")
        )
    }

    /// Takes over rank 0's options, except those that each rank has for itself.
    func adopt(into configuration: inout ResolvedConfiguration) {
        let differing = ConfigurationKey.all.filter { key in
            guard key.scope == .job, let value = state.options[key.name] else { return false }
            return value != key.argument(in: configuration.values)
        }
        // The same program printed them from valid values.
        guard let values = try? state.configuration else { return }
        configuration.choose("from rank 0", differing, from: values)
    }
}
