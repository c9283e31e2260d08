import ArgumentParser
import Formats
import Interchange
import Text
import Training
import Transformer

/// `ddp-train export`: a trained model for other tools.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a trained model in the form of another tool.",
        discussion: """
            hf: a folder that Hugging Face's transformers loads with GPT2LMHeadModel.from_pretrained. Where the model has no \
            biases, zeros are written.
            """
    )

    enum Format: String, CaseIterable, ExpressibleByArgument { case hf }

    @OptionGroup(title: "Model") var source: ModelArguments

    @Option(help: "Form of the model.")
    var format = Format.hf

    @Option(help: ArgumentHelp("Folder to write.", valueName: "folder"), completion: .directory)
    var out: String

    @Flag(help: "Replace a folder that is there.")
    var overwrite = false

    func run() throws {
        // Before a large model is read.
        guard overwrite || FileSystem.kind(of: out) == nil else {
            throw UserError(.usage, "\(out) exists already: choose another --out, or replace it with --overwrite")
        }
        let source = try source.load()
        let size = source.model.configuration.vocabularySize
        try HuggingFaceExport.write(
            source.model,
            to: out,
            vocabularySize: source.tokenizer.map { min($0.vocabularySize, size) },
            endOfText: source.tokenizer?.endOfText,
            writeTokenizer: source.tokenizer.map { tokenizer in { try TokenizerFile.save(tokenizer, folder: $0) } },
            replacing: overwrite
        )
        try Console.output("exported \(source.folder) to \(out)\n")
    }
}
