import ArgumentParser
import Configuration
import Datasets
import Formats
import Insight
import Platform
import Training
import Transformer

/// `ddp-train inspect`: a page that looks inside a model.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look inside a model: what its heads attend to, what each layer predicts, how gradients flow.",
        discussion: """
            Writes one HTML page, which opens anywhere and fetches nothing, and its numbers as JSON beside it. For a run it holds \
            every checkpoint that is kept (--keep_checkpoints), with a slider between them.

              ddp-train inspect --out_dir=out
              ddp-train inspect --init_from=gpt2 --text="Mary and John saw Mary"
            """
    )

    @OptionGroup(title: "Model") var source: ModelArguments

    @Option(help: ArgumentHelp("The text to look at. (default: the validation split's beginning)", valueName: "text"))
    var text: String?

    @Option(
        help: ArgumentHelp("A file with the text, or - for standard input.", valueName: "file"),
        completion: .file()
    )
    var input: String?

    @Option(
        name: .customLong("data_dir"),
        help: ArgumentHelp("Folder of the data sets. (default: the one of the run)", valueName: "folder"),
        completion: .directory
    )
    var dataDir: String?

    @Option(
        help: ArgumentHelp(
            "Tokens of it, at most block_size. (default: \(InspectedText.defaultCount), or what block and text have)",
            valueName: "n"
        )
    )
    var tokens: NumberText?

    @Option(
        help: ArgumentHelp(
            "The page; the JSON stands beside it. (default: inspect.html in out_dir, else here)",
            valueName: "file"
        ),
        completion: .file()
    )
    var out: String?

    @Option(help: ArgumentHelp("Decides the sample and the random tokens of the induction score.", valueName: "n"))
    var seed: NumberText = 1337

    @Flag(help: "Replace a page, or a file of numbers, that ddp-train did not make.")
    var overwrite = false

    @Flag(help: "Print the JSON too, on one line.")
    var json = false

    func run() throws {
        let seed = try seed.seed()
        let asked = try tokens?.whole("tokens", atLeast: 1)
        guard text == nil || input == nil else {
            throw UserError(.usage, "--text and --input both name a text: leave one out")
        }
        // Before a large model is read.
        let numbers = try PageDestination.checkWithNumbers(page, overwrite: overwrite)
        let source = try source.load(forTraining: true)
        let shape = source.model.configuration
        if let asked, asked > shape.blockSize {
            throw UserError(.usage, "tokens=\(asked): the model sees at most block_size=\(shape.blockSize)")
        }
        let text = try inspectedText(source, count: asked ?? min(InspectedText.defaultCount, shape.blockSize))
        let most = try InspectionReport.maximumCheckpoints(shape, tokens: text.tokens.count)
        let output = RunOutput()
        var notices: [String] = []
        func notice(_ line: String) {
            notices.append(line)
            output.note(line)
        }
        remarks(on: source, text, asked: asked).forEach(notice)
        let (inspections, shown) = try inspections(of: source, text, seed: seed, most: most, output, notice)
        let report = InspectionReport(
            title: "inspect: \(self.source.isRun ? self.source.outDir : source.folder)",
            model: source.model,
            text: text,
            tokenizer: source.tokenizer,
            inspections: inspections,
            shown: shown,
            notices: notices
        )
        try write(report, numbers: numbers)
    }

    /// What one should know before the page is read.
    private func remarks(on source: TrainedModel, _ text: InspectedText, asked: Int?) -> [String] {
        var lines: [String] = []
        let variants = source.model.configuration.architectureChanges.map { "\($0.name)=\($0.value)" }
        if !variants.isEmpty { lines.append("this model differs from GPT-2: \(variants.joined(separator: ", "))") }
        if source.state?.option(\.documentMask) == "true" {
            lines.append("the run kept attention within documents; here it reaches over the whole text")
        }
        if let asked, asked > text.tokens.count {
            lines.append("\(text.source) has \(text.tokens.count) tokens to look at, not \(asked)")
        } else if asked == nil, text.available > text.tokens.count + 1 {
            lines.append(
                "of the \(text.available) tokens of \(text.source) these are the first \(text.tokens.count): see --tokens"
            )
        }
        return lines
    }

    /// Of every checkpoint that can be read, and the place among them of the one that was asked for.
    private func inspections(
        of source: TrainedModel,
        _ text: InspectedText,
        seed: UInt64,
        most: Int,
        _ output: RunOutput,
        _ notice: (String) -> Void
    ) throws -> (all: [Inspection], shown: Int) {
        var inspections: [Inspection] = []
        var shown = 0
        for folder in try folders(source, most: most, notice: notice) {
            let isShown = folder == source.folder
            output.progress("looking at \(folder)")
            defer { output.clearProgress() }
            do {
                let checkpoint = source.state == nil ? nil : try Checkpoint(folder: folder)
                let model =
                    isShown ? source.model : try checkpoint!.loadModel(pool: source.model.pool, forTraining: true)
                guard model.configuration == source.model.configuration else {
                    throw UserError(.data, "\(folder) has another shape")
                }
                let inspection = try Inspection(
                    model,
                    name: FileSystem.lastComponent(of: folder),
                    checkpoint: checkpoint,
                    text: text,
                    tokenizer: source.tokenizer,
                    seed: seed
                )
                if isShown { shown = inspections.count }
                inspections.append(inspection)
            } catch let error as UserError where !isShown {
                notice("left out: \(error.message)")
            }
        }
        return (inspections, shown)
    }

    /// The checkpoints to look at, in the run's order; another tool's model alone.
    private func folders(_ model: TrainedModel, most: Int, notice: (String) -> Void) throws -> [String] {
        guard source.isRun else { return [model.folder] }
        let store = CheckpointStore(outputFolder: source.outDir)
        let all = try store.iterations().reversed().map(store.path)
        // A copy of a run may have folders in place of the links.
        guard let chosen = all.firstIndex(of: model.folder) else { return [model.folder] }
        let kept = InspectionReport.evenlySpaced(all.count, limit: most, keeping: chosen)
        if kept.count < all.count {
            notice("of \(all.count) checkpoints the page has \(kept.count): fewer --tokens leave room for more")
        }
        return kept.map { all[$0] }
    }

    // MARK: - Text

    private func inspectedText(_ model: TrainedModel, count: Int) throws -> InspectedText {
        guard let (name, bytes) = try givenText() else { return try beginningOfValidation(model, count: count) }
        let tokenizer = try model.requiredTokenizer()
        let ids: [Int32]
        do {
            ids = try tokenizer.encodePrompt(bytes)
        } catch let error as UserError {
            throw UserError(error.kind, "\(name): \(error.message)")
        }
        return try InspectedText(ids: ids, count: count, source: name)
    }

    private func givenText() throws -> (name: String, bytes: [UInt8])? {
        if let text { return ("the text given by --text", Array(text.utf8)) }
        switch input {
        case nil: return nil
        case "-"?: return ("the text of standard input", try Console.input())
        case let path?: return ("the text of \(path)", try FileSystem.read(path))
        }
    }

    private func beginningOfValidation(_ model: TrainedModel, count: Int) throws -> InspectedText {
        guard let state = model.state else {
            throw UserError(.usage, "\(model.folder) comes without a data set: give a text by --text or --input")
        }
        let folder = dataDir ?? state.option(\.dataDir) ?? TrainingConfiguration().dataDir
        let dataset: Dataset
        do {
            dataset = try Dataset.open(folder: folder, name: state.dataset)
        } catch let error as UserError {
            throw UserError(error.kind, "\(error.message), or give a text by --text or --input")
        }
        try dataset.checkTokenizer(against: model.tokenizer, of: model.folder)
        if let reason = dataset.nothingToScore(in: .validation) {
            throw UserError(.data, "there is no validation text: \(reason); give a text by --text or --input")
        }
        let tokens = try dataset.limited(toVocabulary: model.model.configuration.vocabularySize).validation
        var ids = [Int32](repeating: 0, count: min(count + 1, tokens.count))
        try ids.withUnsafeMutableBufferPointer { ids in
            try tokens.copy(from: 0, count: ids.count, into: ids.baseAddress!)
        }
        return try InspectedText(ids: ids, count: count, source: "the beginning of \(state.dataset)'s validation split")
    }

    // MARK: - Output

    private var page: String { out ?? (source.isRun ? source.outDir + "/inspect.html" : "inspect.html") }

    private func write(_ report: InspectionReport, numbers: String) throws {
        let document = report.json
        let text = document.text() + "\n"
        try AtomicFile.write(report.page(document), to: page)
        try AtomicFile.write(text, to: numbers)
        try Console.output(json ? text : "\(report.summary)\n\(page), and its numbers in \(numbers)\n")
    }
}
