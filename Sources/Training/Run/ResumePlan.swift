import Platform
import Text
import Transformer

/// What a resume goes on with: the newest whole checkpoint, and the options of its run with the changes that are allowed.
struct ResumePlan {
    let checkpoint: Checkpoint
    var configuration: ResolvedConfiguration
    /// Whether options or the number of ranks have changed, which decide the parameters, now or at an earlier resume.
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
        hasChangedCourse =
            state.hasChangedCourse || state.worldSize != worldSize
            || changes.contains { !Self.samePath.contains($0.name) }
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
        if asked.values.maxIters < state.iteration {
            note(
                "nothing to train: the run is at iteration \(state.iteration), beyond max_iters=\(asked.values.maxIters)"
            )
        }
        // What the run itself started from; "resume" would not say.
        configuration.choose("of the run that is resumed", ["init_from"]) {
            $0.initFrom = state.options["init_from"] ?? "scratch"
        }
    }

    /// As nanoGPT, a resume takes its shape from the checkpoint; asking for another one is refused.
    private mutating func adoptShape() throws {
        let model = checkpoint.state.model
        let asked = configuration.values.model(vocabularySize: model.vocabularySize)
        let refused = ModelShape.differences(asked, model).filter { configuration.isExplicit($0.name) }
        guard refused.isEmpty else {
            func list(_ values: [String]) -> String { values.joined(separator: ", ") }
            throw UserError(
                .usage,
                """
                \(list(refused.map { "\($0.name)=\($0.asked)" })) cannot change in a resume: the run has \
                \(list(refused.map { "\($0.name)=\($0.given)" })); leave \(refused.count == 1 ? "it" : "them") out, or start a \
                new run
                """
            )
        }
        configuration.choose("from \(checkpoint.folder)", ModelShape.options) { $0.take(model) }
    }

    private static func changedOptions(
        _ values: TrainingConfiguration,
        _ state: CheckpointState
    ) -> [(name: String, text: String)] {
        ConfigurationKey.all.compactMap { key in
            let value = key.argument(in: values)
            guard !withoutEffect.contains(key.name), !ModelShape.options.contains(key.name),
                let old = state.options[key.name], old != value
            else { return nil }
            return (key.name, "\(key.name)=\(value) (was \(old))")
        }
    }

    /// Options that say how far to go and when to look and save, not which way.
    private static let samePath: Set = [
        "max_iters", "eval_interval", "eval_iters", "eval_only", "always_save_checkpoint",
    ]

    /// Options that change nothing about what is computed.
    static let withoutEffect: Set = [
        "init_from", "out_dir", "data_dir", "threads", "log_interval", "keep_checkpoints", "save_failure", "overwrite",
        "preset",
        "profile", "backend", "bucket_cap_mb", "timeout", "interface", "hostfile", "check_interval", "eval_on",
        "device", "dtype", "compile", "wandb_log", "wandb_project", "wandb_run_name",
    ]
}

/// The options that decide the shape of a model, by their names.
enum ModelShape {
    static let options = ["n_layer", "n_head", "n_embd", "block_size", "bias", "activation"] + variants
    /// How scores are held is not the model's matter.
    private static let variants = GPTVariants.names.filter { $0 != "attention" }

    /// Each option whose value differs, with both values. Dropout belongs to a run and may differ.
    static func differences(
        _ asked: GPTConfiguration,
        _ given: GPTConfiguration
    ) -> [(name: String, asked: String, given: String)] {
        zip(options, zip(values(asked), values(given))).map { ($0, $1.0, $1.1) }.filter { $0.1 != $0.2 }
    }

    private static func values(_ model: GPTConfiguration) -> [String] {
        let sizes = [model.layerCount, model.headCount, model.embeddingSize, model.blockSize]
        return sizes.map { String($0) } + [String(model.bias), model.activation.rawValue]
            + variants.map { model.variants.value(of: $0) }
    }
}

extension TrainingConfiguration {
    /// Takes over the shape of a model, not its dropout.
    mutating func take(_ model: GPTConfiguration) {
        layerCount = model.layerCount
        headCount = model.headCount
        embeddingSize = model.embeddingSize
        blockSize = model.blockSize
        bias = model.bias
        activation = model.activation
        let form = variants.attention
        variants = model.variants
        variants.attention = form
    }
}
