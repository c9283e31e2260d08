import Configuration
import Datasets
import Platform
import Transformer

/// What a resume goes on with: the newest whole checkpoint, and the options of its run with the changes that are allowed.
struct ResumePlan {
    let checkpoint: Checkpoint
    var configuration: ResolvedConfiguration
    /// Whether options, the number of ranks or the order of the data, which decide the parameters, differ from what a new run with
    /// these options has, now or at an earlier resume.
    let hasChangedCourse: Bool

    /// - Parameters:
    ///   - worldSize: ranks that go on with it.
    ///   - note: told of checkpoints that were passed over, and of options that changed.
    /// - Throws: `UserError(.usage)` that names the option which cannot change, `UserError(.data)` when no checkpoint is
    ///   whole or the data are others, `UserError(.inputOutput)` when there is no checkpoint.
    init(
        _ asked: ResolvedConfiguration,
        store: CheckpointStore,
        dataset: Dataset,
        worldSize: Int = 1,
        note: (String) -> Void
    ) throws {
        checkpoint = try store.newestWhole { iteration, reason in
            note("passed over the checkpoint of iteration \(iteration): \(reason)")
        }
        configuration = asked
        let state = checkpoint.state
        let changes = Self.changedOptions(asked.values, state)
        // Tokens that an epoch leaves out in the order of the first versions, which the run goes on with.
        let tail = dataset.train.targetCount % state.model.blockSize
        let leavesOutTail = asked.values.sampling == .epoch && !state.epochCoversTail && tail > 0
        hasChangedCourse =
            state.hasChangedCourse || leavesOutTail || state.worldSize != worldSize
            || changes.contains { $0.key.effect == .course }
        guard state.datasetHash == dataset.fingerprint else {
            throw UserError(
                .data,
                """
                cannot resume: the data set \(dataset.name) has other tokens than \(state.dataset) had when \
                \(checkpoint.folder) was saved; prepare it as it was, or start a new run with --init_from=\(checkpoint.folder)
                """
            )
        }
        try adoptShape()
        if !changes.isEmpty {
            note("resumed with other options: \(changes.map(\.text).joined(separator: ", "))")
        }
        if state.worldSize != worldSize {
            note(
                "resumed by \(worldSize) rank\(worldSize == 1 ? "" : "s"), where \(state.worldSize) had trained: the last bits differ"
            )
        }
        if leavesOutTail {
            note(
                """
                the run goes on with sampling=epoch as an earlier version began it: an epoch leaves out the last \(tail) tokens, \
                which a new run reads
                """
            )
        }
        // What the run itself started from; "resume" would not say.
        configuration.choose("of the run that is resumed", \.initFrom, state.option(\.initFrom) ?? "scratch")
    }

    /// As nanoGPT, a resume takes its shape from the checkpoint; asking for another one is refused.
    private mutating func adoptShape() throws {
        let given = TrainingConfiguration(shapeOf: checkpoint.state.model)
        let refused = configuration.values.shapeDifferences(from: given).filter { configuration.isExplicit($0) }
        guard refused.isEmpty else {
            func list(_ values: TrainingConfiguration) -> String {
                refused.map { "\($0.name)=\($0.argument(in: values))" }.joined(separator: ", ")
            }
            throw UserError(
                .usage,
                """
                \(list(configuration.values)) cannot change in a resume: the run has \(list(given)); leave \
                \(refused.count == 1 ? "it" : "them") out, or start a new run
                """
            )
        }
        configuration.choose("from \(checkpoint.folder)", ConfigurationKey.shape, from: given)
    }

    /// Options with other values than the run had, where a user should know.
    static func changedOptions(
        _ values: TrainingConfiguration,
        _ state: CheckpointState
    ) -> [(key: ConfigurationKey, text: String)] {
        ConfigurationKey.all.filter { [.course, .horizon].contains($0.effect) }.compactMap { key in
            let value = key.argument(in: values)
            guard let old = state.options[key.name], old != value else { return nil }
            return (key, "\(key.name)=\(value) (was \(old))")
        }
    }
}
