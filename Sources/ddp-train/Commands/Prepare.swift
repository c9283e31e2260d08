import ArgumentParser
import Datasets
import Formats
import Platform
import Preparation
import Training

/// `ddp-train prepare`: makes a dataset.
struct Prepare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a data set, by name or from text.",
        discussion: """
              ddp-train prepare shakespeare_char
              ddp-train prepare openwebtext --from openwebtext.tar.xz
              ddp-train prepare fineweb --shards 5
              ddp-train prepare demo --characters 5_000_000
              ddp-train prepare --input book.txt letters.txt --name mine
              ddp-train prepare --input corpus/ more.jsonl.gz archive.tar.xz --name large
              zcat pages.gz | ddp-train prepare --input - --name pages

            Files of plain text, named one by one, are one text: the first nine tenths are for training, the rest for \
            validation. A folder, a pattern, an archive, JSONL, and text with a --separator are documents: each is followed \
            by the tokenizer's end-of-text token (by the separator, or a blank line, if it has none), and a hash of each \
            decides whether it is for validation. Compressed files and archives (gzip, xz, zstd, bzip2, lz4, tar, zip) are read as they are, also within each other.

            What is interrupted goes on where it stopped when the same command is given again.
            """
    )

    @Argument(help: "A data set that is known: \(known.joined(separator: ", ")).")
    var dataset: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Files, folders and patterns of text; - for standard input.", valueName: "path"),
        completion: .file()
    )
    var input: [FilePath] = []

    @Option(help: "Name of the data set. (default: the one that is known)")
    var name: String?

    @Option(
        name: .customLong("data_dir"),
        help: ArgumentHelp("Folder of the data sets: the new one is the folder NAME in it.", valueName: "folder"),
        completion: .directory
    )
    var dataDir = "data"

    @Option(
        help: ArgumentHelp(
            """
            gpt2, char, byte, or a file or folder with a tokenizer. (default: of --input, char up to 2 MB of text, above \
            it \(PreparationRequest.trainedVocabularySize) byte pairs trained on the text)
            """,
            valueName: "tokenizer"
        ),
        completion: .file()
    )
    var tokenizer: String?

    @Flag(
        name: .customLong("special_tokens"),
        help: "Take what looks like a special token, such as <|endoftext|>, as one. (default: it is text)"
    )
    var specialTokens = false

    @OptionGroup var format: CorpusFormatOptions

    @Option(
        name: .customLong("val_fraction"),
        help: ArgumentHelp(
            """
            Share of the documents for validation. (default: \(PreparationRequest.defaultValidationShare); \
            \(PreparationRequest.validationShareForFewDocuments) of few documents)
            """,
            valueName: "share"
        )
    )
    var valFraction: NumberText?

    @Option(
        name: .customLong("shard_size"),
        help: ArgumentHelp("Tokens of a file; more are written to several.", valueName: "n")
    )
    var shardSize = NumberText(integerLiteral: PreparationRequest.defaultShardSize)

    @Option(help: NumberText.threadsHelp)
    var threads: NumberText = 0

    @Option(
        help: ArgumentHelp("What would be downloaded, if it is there already: a file, or a folder.", valueName: "path"),
        completion: .file()
    )
    var from: String?

    @Option(
        help: ArgumentHelp(
            "Shards of fineweb for training, of 100 million tokens each. (default: all, or all that --from has)",
            valueName: "n"
        )
    )
    var shards: NumberText?

    @Option(help: ArgumentHelp("Length of the demo corpus. (default: \(DemoCorpus.defaultCharacters))", valueName: "n"))
    var characters: NumberText?

    @Option(
        help: ArgumentHelp(
            """
            Seed of the demo corpus (default: \(DemoCorpus.defaultSeed)), or of the choice of documents for validation \
            (default: \(PreparationRequest.defaultSeed)).
            """,
            valueName: "n"
        )
    )
    var seed: NumberText?

    @Flag(help: "Replace a data set of that name.")
    var overwrite = false

    @Flag(help: "Print one JSON object about the data set.")
    var json = false

    private static let known = NamedDataset.allCases.map(\.rawValue)

    func run() throws {
        let output = RunOutput()
        let meter = PreparationMeter()
        let result = try DataPreparation.run(try request()) {
            output.progress(meter.text($0))
        } announce: {
            output.clearProgress()
            Console.note($0)
        }
        output.clearProgress()
        guard !json else { return try Console.output(result.json.text() + "\n") }
        var chosen = ""
        if result.isTokenizerChosen, !input.isEmpty, let bytes = result.textBytes {
            chosen = ", chosen for \(bytes) bytes of text"
        }
        var lines = """
            prepared \(result.path): \(result.trainTokens) train and \(result.validationTokens) val tokens, \
            \(result.vocabularySize) different (\(result.tokenizer)\(chosen))

            """
        if let documents = result.documents {
            lines += "documents: \(documents.train) train and \(documents.validation) val, by a hash of each\n"
        }
        if result.continuedTokens > 0 {
            lines += "went on after \(result.continuedTokens) tokens of an interrupted preparation\n"
        }
        try Console.output(lines)
    }

    private func request() throws -> PreparationRequest {
        if !input.isEmpty {
            for (option, isGiven) in [
                ("from", from != nil), ("shards", shards != nil), ("characters", characters != nil),
            ] where isGiven {
                throw UserError(.usage, "--\(option) does not go with --input")
            }
            if let name, let dataset {
                throw UserError(.usage, "\(dataset) and --name=\(name) both name the data set: leave one out")
            }
            guard let name = name ?? dataset else {
                throw UserError(.usage, "a data set made from --input needs a name: add --name NAME")
            }
            return try complete(PreparationRequest(source: .inputs(input), name: name))
        }
        for (option, isGiven) in [
            ("separator", format.separator != nil), ("field", format.field != nil),
            ("val_fraction", valFraction != nil), ("skip_bad", format.skipsBad), ("special_tokens", specialTokens),
        ] where isGiven {
            throw UserError(.usage, "--\(option) goes with --input")
        }
        guard let dataset else {
            throw UserError(
                .usage,
                "nothing to prepare: name one of \(Self.known.joined(separator: ", ")), or files with --input"
            )
        }
        guard let known = NamedDataset(rawValue: dataset) else {
            let hint = NearestName.hint(for: dataset, among: Self.known)
            throw UserError(
                .usage,
                "\(dataset) is not among the known data sets, \(Self.known.joined(separator: ", "))"
                    + (hint.isEmpty ? "; from text of your own: --input FILE --name \(dataset)" : hint)
            )
        }
        guard known != .demo || from == nil else {
            throw UserError(.usage, "--from does not go with demo, which is made here")
        }
        guard known == .demo || characters == nil && seed == nil else {
            throw UserError(.usage, "--characters and --seed go with demo")
        }
        guard known == .fineweb || shards == nil else { throw UserError(.usage, "--shards goes with fineweb") }
        var request = PreparationRequest(known, copy: from)
        request.publishedShards = try shards?.whole("shards", atLeast: 1, atMost: NamedDataset.fineWebShards)
        request.name = name ?? dataset
        if known == .demo {
            request.source = .demo(
                seed: try seed?.seed() ?? DemoCorpus.defaultSeed,
                characters: try characters?.whole("characters", atLeast: 1, atMost: .max)
                    ?? DemoCorpus.defaultCharacters
            )
        }
        return try complete(request)
    }

    /// What every dataset has.
    private func complete(_ request: PreparationRequest) throws -> PreparationRequest {
        var request = request
        request.dataFolder = dataDir
        if let tokenizer { request.tokenizer = TokenizerSource(tokenizer) }
        request.recognizesSpecialTokens = specialTokens
        request.overwrite = overwrite
        request.separator = try format.separatorText
        request.field = format.field
        request.skipsBad = format.skipsBad
        request.validationShare = try valFraction?.number("val_fraction", "above 0 and below 1") { $0 > 0 && $0 < 1 }
        request.shardSize = try shardSize.whole("shard_size", atLeast: 1, atMost: .max / 4)
        request.threads = try threads.threads()
        if case .inputs = request.source, let seed {
            request.seed = try seed.seed()
        }
        return request
    }
}

extension PreparationResult {
    fileprivate var json: JSONValue {
        .object([
            .init("name", .string(name)),
            .init("path", .string(path)),
            .init("tokenizer", .string(tokenizer)),
            .init("vocabulary_size", .integer(vocabularySize)),
            .init("text_bytes", textBytes.map { .integer($0) } ?? .null),
            .init("train_tokens", .integer(trainTokens)),
            .init("val_tokens", .integer(validationTokens)),
            .init("train_documents", documents.map { .integer($0.train) } ?? .null),
            .init("val_documents", documents.map { .integer($0.validation) } ?? .null),
            .init("files", .integer(shards)),
            .init("continued_tokens", .integer(continuedTokens)),
        ])
    }
}
