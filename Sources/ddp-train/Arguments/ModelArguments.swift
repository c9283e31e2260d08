import ArgumentParser
import Compute
import Interchange
import Platform
import Preparation
import Training

extension CheckpointStore.Which: ExpressibleByArgument {}

/// Which trained model a command works with.
struct ModelArguments: ParsableArguments {
    @Argument(help: ArgumentHelp("Folder of the run, as --out_dir.", valueName: "run"), completion: .directory)
    var run: String?

    @Option(
        name: .customLong("out_dir"),
        help: ArgumentHelp("Folder of the run. (default: out)", valueName: "folder"),
        completion: .directory
    )
    var namedOutDir: String?

    @Option(help: "Which checkpoint of the run; one that has no best yet gives its latest.")
    var which = CheckpointStore.Which.best

    @Option(
        name: .customLong("init_from"),
        help: ArgumentHelp(
            """
            In place of a run: a checkpoint's folder; a folder, .safetensors file or pytorch_model.bin of Hugging Face's GPT-2; a \
            model file of llm.c; nanoGPT's ckpt.pt; or \(ModelPlace.published), which is downloaded.
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

    @Option(
        name: .customLong("n_head"),
        help: ArgumentHelp(
            "Attention heads of a state_dict of PyTorch, in which nothing says how many there are.",
            valueName: "n"
        )
    )
    var headCountText: NumberText?

    @Option(help: NumberText.threadsHelp)
    var threads: NumberText = 0

    /// The run's folder.
    var outDir: String { run ?? namedOutDir ?? "out" }

    /// Whether the model is one of a run in `out_dir`: nanoGPT's "resume" is that too.
    var isRun: Bool { initFrom == nil || initFrom == "resume" }

    /// Loads the model and what is known about it.
    ///
    /// - Parameter forTraining: whether memory for gradients is wanted.
    /// - Throws: `UserError` when there is none, or it is damaged.
    func load(forTraining: Bool = false) throws -> TrainedModel {
        guard run == nil || namedOutDir == nil && isRun else {
            throw UserError(.usage, "\(run!) and --\(isRun ? "out_dir" : "init_from") both name a model: leave one out")
        }
        let headCount = try headCountText?.whole("n_head", atLeast: 1, atMost: 1 << 24)
        let loaded = try open(headCount: headCount, forTraining: forTraining)
        let found = loaded.model.configuration.attention.headCount
        if let headCount, headCount != found {
            throw UserError(
                .usage,
                "n_head=\(headCount), but \(loaded.folder) has n_head=\(found): leave the option out"
            )
        }
        return loaded
    }

    private func open(headCount: Int?, forTraining: Bool) throws -> TrainedModel {
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
            let source = try PretrainedModel(path: path, headCount: headCount)
            for notice in source.notices { Console.note(notice) }
            return try TrainedModel(source, tokenizer: own, pool: pool, forTraining: forTraining)
        }
        return try TrainedModel(
            checkpoint: Checkpoint(folder: path),
            tokenizer: own,
            pool: pool,
            forTraining: forTraining
        )
    }
}
