import ArgumentParser
import Configuration
import Datasets
import Formats
import Foundation
import Platform
import Preparation
import Training

extension Dataset.Split: ExpressibleByArgument {}

/// `ddp-train eval`: the loss of a trained model over a whole split.
struct Eval: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Loss and perplexity of a trained model over a whole split.",
        discussion:
            "Scores each token of the split but the first exactly once, in blocks of block_size without overlap."
    )

    @OptionGroup(title: "Model") var source: ModelArguments

    @Option(help: "The split to pass over.")
    var split = Dataset.Split.validation

    @Option(help: "Name of the data set. (default: the one of the run)")
    var dataset: String?

    @Option(
        name: .customLong("data_dir"),
        help: ArgumentHelp("Folder of the data sets. (default: the one of the run, else data)", valueName: "folder"),
        completion: .directory
    )
    var dataDir: String?

    @Option(
        name: .customLong("document_mask"),
        help: ArgumentHelp(
            "Keep attention within documents. (default: as the run, else false)",
            valueName: OptionTable.booleanValueName
        )
    )
    var documentMask: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let asked = try documentMask.map { text in
            guard let value = ConfigurationLiteral.boolean(text) else {
                throw UserError(.usage, "document_mask=\(text): must be true or false")
            }
            return value
        }
        let source = try source.load()
        guard let name = dataset ?? source.state?.dataset else {
            throw UserError(
                .usage,
                "\(source.folder) does not say what it was trained on: name a data set with --dataset"
            )
        }
        let folder = dataDir ?? source.state?.option(\.dataDir) ?? TrainingConfiguration().dataDir
        if dataset == DemoCorpus.name {
            let made = try DefaultDataset.demo(dataFolder: folder).explanation
            if !made.isEmpty { Console.note(made) }
        }
        let whole = try Dataset.open(folder: folder, name: name)
        for notice in whole.notices { Console.note(notice) }
        try whole.checkTokenizer(against: source.tokenizer, of: source.folder)
        let dataset = try whole.limited(toVocabulary: source.model.configuration.vocabularySize)

        let isMasked = asked ?? (source.state?.option(\.documentMask) == "true")

        let output = RunOutput()
        let result = try SplitLoss(
            of: source.model,
            dataset: dataset,
            split: split,
            batchSize: 8,
            boundaries: isMasked ? try dataset.documentBoundaries() : nil
        ) { output.progress("\(split.rawValue) loss: \(Int($0 * 100))%") }
        output.clearProgress()
        guard result.loss.isFinite else {
            throw UserError(
                .data,
                "the loss of \(source.folder) on \(name) is \(result.loss): its weights are of no use"
            )
        }
        guard !json else {
            return try Console.output(report(result, checkpoint: source.folder, dataset: name).text() + "\n")
        }
        let figures = String(
            format: "loss %.4f, perplexity %.2f, %d tokens",
            result.loss,
            exp(result.loss),
            result.tokens
        )
        let bits = result.bitsPerByte.map { String(format: ", %.4f bits per byte", $0) } ?? ""
        try Console.output("\(split.rawValue) \(figures)\(bits)\n")
        if let optimum = result.optimum { Console.note(comparison(result, optimum)) }
    }

    private func report(_ result: SplitLoss, checkpoint: String, dataset: String) -> JSONValue {
        let perplexity = exp(result.loss)
        var members: [JSONValue.Member] = [
            .init("checkpoint", .string(checkpoint)), .init("dataset", .string(dataset)),
            .init("split", .string(split.rawValue)), .init("loss", .number(result.loss)),
            .init("perplexity", perplexity.isFinite ? .number(perplexity) : .null),
            .init("tokens", .integer(result.tokens)),
        ]
        if let bits = result.bitsPerByte { members.append(.init("bits_per_byte", .number(bits))) }
        if let optimum = result.optimum { members.append(.init("optimum", .number(optimum))) }
        if let error = result.standardError { members.append(.init("standard_error", .number(error))) }
        return .object(members)
    }

    /// Of a corpus whose source is known: the loss beside the least that any predictor can have.
    private func comparison(_ result: SplitLoss, _ optimum: Double) -> String {
        let above = String(
            format:
                "optimum %.4f on the same tokens; the model is %.4f \(result.loss < optimum ? "below" : "above") it, %.1f%%",
            optimum,
            abs(result.loss - optimum),
            abs(result.loss / optimum - 1) * 100
        )
        return above + (result.standardError.map { String(format: " (standard error %.4f)", $0) } ?? "")
    }
}
