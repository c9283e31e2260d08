import Formats
import Text
import Transformer

/// What a resume goes on with: the newest whole checkpoint, and the options of its run with the changes that are allowed.
struct ResumePlan {
    let checkpoint: Checkpoint
    var configuration: ResolvedConfiguration

    /// - Parameter note: told of checkpoints that were passed over, and of options that changed.
    /// - Throws: `UserError(.usage)` that names the option which cannot change, `UserError(.data)` when no checkpoint is
    ///   whole or the data are others, `UserError(.inputOutput)` when there is no checkpoint.
    init(
        _ asked: ResolvedConfiguration,
        store: CheckpointStore,
        dataset: Dataset,
        note: (String) -> Void
    ) throws {
        checkpoint = try store.newestWhole { iteration, reason in
            note("passed over the checkpoint of iteration \(iteration): \(reason)")
        }
        configuration = asked
        let state = checkpoint.state
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
        let changes = changedOptions()
        if !changes.isEmpty { note("resumed with other options: \(changes.joined(separator: ", "))") }
        // What the run itself started from; "resume" would not say.
        configuration.choose("of the run that is resumed", ["init_from"]) {
            $0.initFrom = state.options["init_from"] ?? "scratch"
        }
    }

    /// As nanoGPT, a resume takes its shape from the checkpoint; asking for another one is refused.
    private mutating func adoptShape() throws {
        let model = checkpoint.state.model
        let asked = configuration.values.model(vocabularySize: model.vocabularySize)
        for (name, wanted, given) in ModelShape.differences(asked, model) where configuration.isExplicit(name) {
            throw UserError(
                .usage,
                "\(name)=\(wanted) cannot change in a resume: the run has \(name)=\(given); leave it out, or start a new run"
            )
        }
        configuration.choose("from \(checkpoint.folder)", ModelShape.options) { $0.take(model) }
    }

    private func changedOptions() -> [String] {
        let saved = checkpoint.state.options
        return ConfigurationKey.all.compactMap { key in
            let value = key.argument(in: configuration.values)
            guard !Self.withoutEffect.contains(key.name), let old = saved[key.name], old != value else { return nil }
            return "\(key.name)=\(value) (was \(old))"
        }
    }

    /// Options that change nothing about what is computed.
    static let withoutEffect: Set = [
        "init_from", "out_dir", "data_dir", "threads", "log_interval", "keep_checkpoints", "save_failure", "overwrite",
        "preset",
        "profile", "backend", "allreduce", "bucket_cap_mb", "timeout", "interface", "hostfile", "check_interval",
        "eval_on",
    ]
}

/// The options that decide the shape of a model, by their names.
enum ModelShape {
    static let options = ["n_layer", "n_head", "n_embd", "block_size", "bias", "activation"]

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
    }
}
