import ArgumentParser
import Compute
import Formats
import Platform
import Tokenizers
import Training

/// `ddp-train tokenizer train`: a byte-level BPE of one's own.
struct TokenizerTrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Make a byte-level BPE from text.",
        discussion: """
            The vocabulary depends on the text alone. It is written as tokenizer.json, as merges.txt with vocab.json, and as \
            tokenizer.tiktoken; <|endoftext|> is its last id. Memory grows with the different words of the text, not with \
            its length.
            """
    )

    @Option(
        name: .customLong("vocab_size"),
        help: ArgumentHelp("Tokens: the 256 bytes, the merged ones, and <|endoftext|>.", valueName: "n")
    )
    var vocabularySize: NumberText

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Files, folders and patterns of text, as for prepare; - for standard input.",
            valueName: "path"
        ),
        completion: .file()
    )
    var input: [FilePath]

    @OptionGroup var format: CorpusFormatOptions

    @Option(
        name: [.customLong("out"), .customLong("output")],
        help: ArgumentHelp("Folder to write.", valueName: "folder"),
        completion: .directory
    )
    var output: String

    @Flag(help: "Replace a folder that is there.")
    var overwrite = false

    @Option(help: NumberText.threadsHelp)
    var threads: NumberText = 0

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        guard overwrite || FileSystem.kind(of: output) == nil else {
            throw UserError(.usage, "\(output) exists already: choose another --out, or replace it with --overwrite")
        }
        try checkReplaceable()
        let pool = WorkerPool(threadCount: try threads.threads())
        let size = try vocabularySize.whole("vocab_size", atLeast: 0)
        var trainer = try BytePairTrainer(
            vocabularySize: size,
            pool: pool
        )
        let console = RunOutput()
        let meter = PreparationMeter()
        try trainer.add(
            inputs: input,
            separator: format.separatorText,
            field: format.field,
            skipsBad: format.skipsBad
        ) {
            console.clearProgress()
            Console.note($0)
        } progress: {
            console.progress(meter.text($0))
        }
        let tokenizer = BytePairTokenizer(
            try trainer.train { console.progress("merging, \($0) of \(size - BytePairTrainer.smallestVocabulary)") }
        )
        let folder = try AtomicFolder(path: output)
        try tokenizer.write(folder: folder.temporaryPath)
        try folder.commit(replacing: overwrite)
        console.clearProgress()
        if tokenizer.vocabularySize < size {
            Console.note("the text has no more pairs to merge: \(tokenizer.vocabularySize) tokens in place of \(size)")
        }
        guard !json else {
            let result = JSONValue.object([
                .init("path", .string(output)),
                .init("vocabulary_size", .integer(tokenizer.vocabularySize)),
                .init("text_bytes", .integer(trainer.byteCount)),
                .init("sha256", .string(TokenizerFile.hash(of: tokenizer))),
            ])
            return try Console.output(result.text() + "\n")
        }
        try Console.output(
            "trained \(output): \(tokenizer.vocabularySize) tokens from \(trainer.byteCount) bytes of text\n"
        )
    }

    /// What `--overwrite` replaces has to be what this command wrote, and no run, no data and no book.
    private func checkReplaceable() throws {
        switch FileSystem.kind(of: output) {
        case nil: return
        case .folder:
            let foreign = try FileSystem.names(inFolder: output).first { !BytePairTokenizer.fileNames.contains($0) }
            guard let foreign else { return }
            throw UserError(
                .usage,
                "\(output) holds \(foreign), which is no tokenizer's, and is not replaced: choose another --out"
            )
        case .file, .other:
            throw UserError(.usage, "\(output) is no folder, and is not replaced: choose another --out")
        }
    }
}
