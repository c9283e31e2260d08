import ArgumentParser
import Compute
import Preparation
import Training

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
            """
            In place of a run: a checkpoint's folder; a folder or .safetensors file of Hugging Face's GPT-2; a model file of \
            llm.c; nanoGPT's ckpt.pt; or \(ModelPlace.published), which is downloaded.
            """,
            valueName: "path"
        ),
        completion: .file()
    )
    var initFrom: String?

    @Option(
        help: ArgumentHelp("What --init_from=gpt2 would download, if it is there already.", valueName: "path"),
        completion: .file()
    )
    var from: String?

    @Option(
        help: ArgumentHelp(
            "gpt2, byte, or a file or folder with a tokenizer. (default: the one beside the model)",
            valueName: "tokenizer"
        ),
        completion: .file()
    )
    var tokenizer: String?

    @Option(help: NumberText.threadsHelp)
    var threads: NumberText = 0

    /// Whether the model is one of a run in `out_dir`: nanoGPT's "resume" is that too.
    var isRun: Bool { initFrom == nil || initFrom == "resume" }

    /// Loads the model and what is known about it.
    ///
    /// - Parameter forTraining: whether memory for gradients is wanted.
    /// - Throws: `UserError` when there is none, or it is damaged.
    func load(forTraining: Bool = false) throws -> TrainedModel {
        let pool = WorkerPool(threadCount: try threads.threads())
        let own = try tokenizer.map { try TokenizerSource($0).open(notice: Console.note) }
        guard let name = initFrom, !isRun else {
            guard from == nil else { throw ModelPlace.misplacedCopy }
            return try TrainedModel(
                checkpoint: CheckpointStore(outputFolder: outDir).open(which),
                tokenizer: own,
                pool: pool,
                forTraining: forTraining
            )
        }
        let path = try ModelPlace.locate(name, copy: from, which: which, output: RunOutput())
        guard Checkpoint.isCheckpoint(path) else {
            return try TrainedModel(path: path, tokenizer: own, pool: pool, forTraining: forTraining)
        }
        return try TrainedModel(
            checkpoint: Checkpoint(folder: path),
            tokenizer: own,
            pool: pool,
            forTraining: forTraining
        )
    }
}
