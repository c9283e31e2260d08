import ArgumentParser
import Formats
import Text
import Training

extension PreparationRequest.TokenizerChoice: ExpressibleByArgument {}

/// `ddp-train prepare`: makes a data set.
struct Prepare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a data set, by name or from text files.",
        discussion: """
              ddp-train prepare shakespeare_char
              ddp-train prepare demo --characters 5_000_000
              ddp-train prepare --input book.txt letters.txt --name mine

            The first nine tenths of the text are for training, the rest for validation. shakespeare_char is downloaded \
            once and checked; the demo corpus is made from its seed.
            """
    )

    @Argument(help: "A data set that is known: \(known.joined(separator: " or ")).")
    var dataset: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Text files (UTF-8), taken one after the other.", valueName: "file"),
        completion: .file()
    )
    var input: [String] = []

    @Option(help: "Name of the data set. (default: the one that is known)")
    var name: String?

    @Option(
        name: .customLong("data_dir"),
        help: ArgumentHelp("Folder of the data sets: the new one is the folder NAME in it.", valueName: "folder"),
        completion: .directory
    )
    var dataDir = "data"

    @Option(help: "What the tokens of --input are. (default: char up to 2 MB of text)")
    var tokenizer: PreparationRequest.TokenizerChoice?

    @Option(
        help: ArgumentHelp("A copy of the file that would be downloaded.", valueName: "file"),
        completion: .file()
    )
    var from: String?

    @Option(help: ArgumentHelp("Length of the demo corpus. (default: \(DemoCorpus.defaultCharacters))", valueName: "n"))
    var characters: NumberText?

    @Option(help: ArgumentHelp("Seed of the demo corpus. (default: \(DemoCorpus.defaultSeed))", valueName: "n"))
    var seed: NumberText?

    @Flag(help: "Replace a data set of that name.")
    var overwrite = false

    @Flag(help: "Print one JSON object about the data set.")
    var json = false

    private static let known = NamedDataset.allCases.map(\.rawValue)

    func run() throws {
        let output = RunOutput()
        let result = try DataPreparation.run(try request()) { output.progress($0.text) }
        output.clearProgress()
        guard !json else { return try Console.output(result.json.text() + "\n") }
        let chosen = result.isTokenizerChosen && !input.isEmpty ? ", chosen for \(result.textBytes) bytes of text" : ""
        try Console.output(
            """
            prepared \(result.path): \(result.trainTokens) train and \(result.validationTokens) val tokens, \
            \(result.vocabularySize) different (\(result.tokenizer)\(chosen))

            """
        )
    }

    private func request() throws -> PreparationRequest {
        if !input.isEmpty {
            for (option, isGiven) in [("from", from != nil), ("characters", characters != nil), ("seed", seed != nil)]
            where isGiven {
                throw UserError(.usage, "--\(option) does not go with --input")
            }
            guard let name = name ?? dataset else {
                throw UserError(.usage, "a data set made from --input needs a name: add --name NAME")
            }
            return PreparationRequest(
                source: .files(input),
                name: name,
                dataFolder: dataDir,
                tokenizer: tokenizer,
                overwrite: overwrite
            )
        }
        guard let dataset else {
            throw UserError(
                .usage,
                "nothing to prepare: name \(Self.known.joined(separator: " or ")), or files with --input"
            )
        }
        guard let known = NamedDataset(rawValue: dataset) else {
            let hint = NearestName.hint(for: dataset, among: Self.known)
            throw UserError(
                .usage,
                "\(dataset) is not among the known data sets, \(Self.known.joined(separator: " and "))"
                    + (hint.isEmpty ? "; from text of your own: --input FILE --name \(dataset)" : hint)
            )
        }
        guard known == .shakespeareChar || from == nil else {
            throw UserError(.usage, "--from goes with shakespeare_char")
        }
        guard known == .demo || characters == nil && seed == nil else {
            throw UserError(.usage, "--characters and --seed go with demo")
        }
        var request = PreparationRequest(known, copy: from, dataFolder: dataDir, overwrite: overwrite)
        request.tokenizer = tokenizer
        request.name = name ?? dataset
        if known == .demo {
            request.source = .demo(
                seed: try seed.map { UInt64(try $0.whole("seed", atLeast: 0, atMost: .max)) } ?? DemoCorpus.defaultSeed,
                characters: try characters?.whole("characters", atLeast: 1, atMost: .max)
                    ?? DemoCorpus.defaultCharacters
            )
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
            .init("text_bytes", .integer(textBytes)),
            .init("train_tokens", .integer(trainTokens)),
            .init("val_tokens", .integer(validationTokens)),
        ])
    }
}
