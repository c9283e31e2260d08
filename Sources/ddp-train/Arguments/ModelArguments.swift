import ArgumentParser
import Compute
import Formats
import Interchange
import Text
import Training
import Transformer

extension CheckpointStore.Which: ExpressibleByArgument {}

/// Which trained model a command works with.
struct ModelArguments: ParsableArguments {
    @Option(name: .customLong("out_dir"), help: ArgumentHelp("Folder of the run.", valueName: "folder"))
    var outDir = "out"

    @Option(help: "Which checkpoint of the run; one that has no best yet gives its latest.")
    var which = CheckpointStore.Which.best

    @Option(
        name: .customLong("init_from"),
        help: ArgumentHelp(
            "In place of a run: a checkpoint's folder, or one with a GPT-2 of Hugging Face.",
            valueName: "folder"
        )
    )
    var initFrom: String?

    @Option(help: ArgumentHelp("Worker threads; 0 takes every core.", valueName: "n"))
    var threads: NumberText = 0

    /// Loads the model and what is known about it.
    ///
    /// - Throws: `UserError` when there is none, or it is damaged.
    func load() throws -> TrainedModel {
        let threads = try threads.whole("threads", atLeast: 0, atMost: 1024)
        let pool = WorkerPool(threadCount: Processors.count(asked: threads))
        // nanoGPT's "resume" is the run in out_dir.
        guard let path = initFrom, path != "resume" else {
            return try TrainedModel(checkpoint: CheckpointStore(outputFolder: outDir).open(which), pool: pool)
        }
        let folder = try ModelFolder.locate(path)
        guard Checkpoint.isCheckpoint(folder) else { return try TrainedModel(huggingFaceFolder: folder, pool: pool) }
        return try TrainedModel(checkpoint: Checkpoint(folder: folder), pool: pool)
    }
}

/// A model that can generate, be evaluated and be exported.
struct TrainedModel {
    let model: GPT
    /// Nil when the data it was trained on came without one.
    let tokenizer: (any Tokenizer)?
    let folder: String
    /// What a run knows about itself; nil for another tool's model.
    let state: CheckpointState?

    init(checkpoint: Checkpoint, pool: WorkerPool) throws {
        model = try checkpoint.loadModel(pool: pool)
        folder = checkpoint.folder
        state = checkpoint.state
        tokenizer = try Self.tokenizer(in: folder)
    }

    init(huggingFaceFolder folder: String, pool: WorkerPool) throws {
        let source = try HuggingFaceModel(folder: folder)
        model = GPT(configuration: source.configuration, pool: pool, forTraining: false)
        try source.load(into: model)
        self.folder = folder
        state = nil
        tokenizer = try Self.tokenizer(in: folder)
    }

    /// The tokenizer beside a model, where there is one.
    static func tokenizer(in folder: String) throws -> (any Tokenizer)? {
        FileSystem.kind(of: folder + "/" + TokenizerFile.name) == nil ? nil : try TokenizerFile.load(folder: folder)
    }
}

/// Finds the folder that `--init_from` means.
enum ModelFolder {
    /// A folder with a model; of a run's folder, its best checkpoint.
    ///
    /// - Throws: `UserError(.usage)` when there is no such folder.
    static func locate(_ path: String) throws -> String {
        guard FileSystem.kind(of: path) == .folder else {
            if path.hasPrefix("gpt2") {
                throw UserError(
                    .usage,
                    """
                    init_from=\(path): OpenAI's weights are not downloaded; fetch the folder with config.json and \
                    model.safetensors from huggingface.co/openai-community/\(path), and give its path
                    """
                )
            }
            throw UserError(.usage, "init_from=\(path): must be scratch, resume, or the folder of a model")
        }
        let best = path + "/checkpoints/best"
        return FileSystem.kind(of: best) == .folder ? best : path
    }
}

extension Dataset {
    /// Token ids mean nothing to a model that learned those of another tokenizer.
    ///
    /// - Throws: `UserError(.data)` when both tokenizers are known and differ.
    func checkTokenizer(against other: (any Tokenizer)?, of model: String) throws {
        guard let other, let tokenizer, TokenizerFile.hash(of: other) != TokenizerFile.hash(of: tokenizer) else {
            return
        }
        throw UserError(
            .data,
            """
            the tokenizer of \(model) (\(other.name), \(other.vocabularySize) tokens) is not that of the data set \(name) \
            (\(tokenizer.name), \(tokenizer.vocabularySize)): choose the data that the model was trained on
            """
        )
    }
}
