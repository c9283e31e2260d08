import Datasets
import Interchange
import Platform
import Preparation
import Training
import Transformer

/// Finds what `--init_from` means.
enum ModelPlace {
    /// The models that are known by name, for messages.
    static let published = PublishedModel.allCases.map(\.rawValue).joined(separator: ", ")

    static let misplacedCopy = UserError(.usage, "--from goes with --init_from=\(published)")

    /// The folder or file of a model; of a run's folder, its best checkpoint; of a model known by name, the folder
    /// that it was downloaded to. A folder or file with such a name comes first.
    ///
    /// - Parameters:
    ///   - name: a path, or `gpt2` and its like.
    ///   - copy: what would be downloaded, if it is there already.
    ///   - which: of a run's checkpoints.
    ///   - output: where progress is shown.
    /// - Throws: `UserError(.usage)` when there is nothing of that name; `UserError(.data)` when a run's checkpoint is damaged; or
    ///   as a download fails.
    static func locate(
        _ name: String,
        copy: String?,
        which: CheckpointStore.Which = .best,
        output: RunOutput
    ) throws -> String {
        if let copy {
            guard let model = PublishedModel(rawValue: name) else { throw misplacedCopy }
            try check(copy, is: model)
            return copy
        }
        if let path = try path(of: name, which) { return path }
        let model = try published(name)
        let meter = PreparationMeter()
        defer { output.clearProgress() }
        return try model.locate {
            output.note($0)
        } progress: {
            output.progress(meter.text($0))
        }
    }

    /// The shape of what `locate` finds; nothing is downloaded for it.
    ///
    /// - Parameters:
    ///   - name: as given to `--init_from`.
    ///   - headCount: of a state_dict of PyTorch.
    /// - Throws: as `locate`.
    static func shape(of name: String, headCount: Int?) throws -> GPTConfiguration {
        if let path = try path(of: name, .best) {
            return try PretrainedModel(path: path, headCount: headCount).configuration
        }
        let shape = try published(name).shape
        return GPTConfiguration(
            layerCount: shape.layers,
            headCount: shape.heads,
            embeddingSize: shape.width,
            blockSize: PublishedModel.blockSize,
            vocabularySize: Dataset.gpt2VocabularySize,
            bias: true,
            activation: .gelu_tanh
        )
    }

    /// - Throws: `UserError` where `locate` would find nothing of this name; nothing is downloaded or read for it.
    static func check(_ name: String) throws {
        if try path(of: name, .best) == nil { _ = try published(name) }
    }

    /// What is there under a name.
    private static func path(of name: String, _ which: CheckpointStore.Which) throws -> String? {
        switch FileSystem.kind(of: name) {
        case .folder?:
            let store = CheckpointStore(outputFolder: name)
            guard FileSystem.kind(of: store.folder) == .folder else { return name }
            // By its own name: what the link names may be another one a moment later.
            return try store.open(which).folder
        case .file?: return name
        default: return nil
        }
    }

    private static func published(_ name: String) throws -> PublishedModel {
        if let model = PublishedModel(rawValue: name) { return model }
        throw UserError(
            .usage,
            "init_from=\(name): there is no such file or folder, nor is it one of \(published)"
        )
    }

    private static func check(_ copy: String, is model: PublishedModel) throws {
        guard FileSystem.kind(of: copy) != nil else { throw UserError(.inputOutput, "--from: there is no \(copy)") }
        let found = try PretrainedModel(path: copy).configuration
        let shape = model.shape
        guard (found.layerCount, found.headCount, found.embeddingSize) == (shape.layers, shape.heads, shape.width)
        else {
            throw UserError(
                .data,
                """
                \(copy) is not \(model.rawValue), which has \(shape.layers) layers, \(shape.heads) heads and width \
                \(shape.width): it has \(found.layerCount), \(found.headCount) and \(found.embeddingSize); give its path to --init_from
                """
            )
        }
    }
}
