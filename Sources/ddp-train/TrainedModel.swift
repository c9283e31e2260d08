import Compute
import Datasets
import Interchange
import Platform
import Tokenizers
import Training
import Transformer

/// A model that can generate, be evaluated and be exported.
struct TrainedModel {
    let model: GPT
    /// Nil when the data it was trained on came without one.
    let tokenizer: (any Tokenizer)?
    /// Its checkpoint, or another tool's folder or file.
    let folder: String
    /// What a run knows about itself; nil for another tool's model.
    let state: CheckpointState?

    /// A run's checkpoint; a tokenizer that is named takes the place of the one beside the weights.
    init(
        checkpoint: Checkpoint,
        tokenizer: (any Tokenizer)?,
        pool: WorkerPool,
        forTraining: Bool = false
    ) throws {
        model = try checkpoint.loadModel(pool: pool, forTraining: forTraining)
        folder = checkpoint.folder
        state = checkpoint.state
        self.tokenizer = try tokenizer ?? Self.tokenizer(in: folder, notice: Console.note)
        try checkTokenizer(isNamed: tokenizer != nil)
    }

    /// Another tool's model.
    init(_ source: PretrainedModel, tokenizer: (any Tokenizer)?, pool: WorkerPool, forTraining: Bool = false) throws {
        model = GPT(configuration: source.configuration, context: ComputeContext(pool: pool), forTraining: forTraining)
        try source.load(into: model)
        folder = source.path
        state = nil
        self.tokenizer = try tokenizer ?? Self.tokenizer(in: source.folder, notice: Console.note)
        try checkTokenizer(isNamed: tokenizer != nil)
    }

    /// - Parameter isNamed: whether the user named it, who may name the wrong one.
    /// - Throws: `UserError(.usage)` when the tokenizer cannot be that of the model.
    private func checkTokenizer(isNamed: Bool) throws {
        guard let tokenizer else { return }
        let (tokens, rows) = (tokenizer.vocabularySize, model.configuration.vocabularySize)
        // nanoGPT pads a vocabulary to a multiple of 64, llm.c to one of 128.
        let isPlausible = isNamed ? tokens...tokens + 127 ~= rows : tokens <= rows
        guard !isPlausible else { return }
        throw UserError(
            .usage,
            """
            the tokenizer (\(tokenizer.name), \(tokens) tokens) is not that of \(folder), which has \(rows): name the one that \
            it was trained with by --tokenizer
            """
        )
    }

    /// The tokenizer beside a model, where there is one: as tokenizer.json, or as the vocab.json and merges.txt of
    /// older folders.
    static func tokenizer(in folder: String, notice: (String) -> Void = { _ in }) throws -> (any Tokenizer)? {
        let files = [[TokenizerFile.name], ["vocab.json", "merges.txt"]]
        let isThere = files.contains { $0.allSatisfy { FileSystem.kind(of: folder + "/" + $0) == .file } }
        return isThere ? try TokenizerFile.open(folder, notice: notice) : nil
    }

    /// - Throws: `UserError(.data)` that says how to name one, when there is no tokenizer.
    func requiredTokenizer() throws -> any Tokenizer {
        if let tokenizer { return tokenizer }
        // GPT-2's, and padded as nanoGPT does.
        let isGPT2 = Dataset.gpt2VocabularySize...Dataset.defaultVocabularySize ~= model.configuration.vocabularySize
        throw UserError(
            .data,
            """
            \(folder) has no \(TokenizerFile.name) beside it, so its tokens cannot be turned into text: \
            \(isGPT2 ? "its vocabulary has the size of GPT-2's, for which there is --tokenizer=gpt2" : "name one with --tokenizer")
            """
        )
    }
}
