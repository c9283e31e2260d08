import ArgumentParser
import Interchange
import Platform
import Training
import Transformer

/// `ddp-train export`: a trained model for other tools.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a trained model in the form of another tool.",
        discussion: """
              hf    a folder that transformers loads with GPT2LMHeadModel.from_pretrained
              llmc  a folder with llm.c's model.bin and tokenizer.bin
              gguf  one file for llama.cpp and the tools around it

            Where the model has no biases, zeros are written; a vocabulary that was padded is cropped to the tokenizer's. llmc and \
            gguf compute the tanh GELU, and take models with --activation=gelu_tanh only, as GPT-2 itself. llama.cpp takes id 11 \
            for the end of a text where the tokenizer has no such token: run it with --ignore-eos then.
            """
    )

    enum Format: String, CaseIterable, ExpressibleByArgument { case hf, llmc, gguf }
    enum ElementType: String, CaseIterable, ExpressibleByArgument { case float32, bfloat16 }

    @OptionGroup(title: "Model") var source: ModelArguments

    @Option(help: "Form of the model.")
    var format = Format.hf

    @Option(help: ArgumentHelp("Folder to write; of gguf the file.", valueName: "path"), completion: .file())
    var out: String

    @Option(help: "How numbers are written; bfloat16 goes with llmc.")
    var dtype = ElementType.float32

    @Flag(help: "Replace what is there.")
    var overwrite = false

    func run() throws {
        guard dtype == .float32 || format == .llmc else {
            throw UserError(
                .usage,
                "--dtype=bfloat16 goes with --format=llmc; \(format.rawValue) is written in float32"
            )
        }
        // Before a large model is read.
        let kind = FileSystem.kind(of: out)
        guard overwrite || kind == nil else {
            throw UserError(.usage, "\(out) exists already: choose another --out, or replace it with --overwrite")
        }
        guard kind == nil || (kind == .folder) == (format != .gguf) else {
            let (wanted, found) = format == .gguf ? ("file", "folder") : ("folder", "file")
            throw UserError(
                .usage,
                "\(format.rawValue) is a \(wanted), and \(out) is a \(found), which is not replaced: choose another --out"
            )
        }
        if overwrite { try checkReplaced(kind) }
        let source = try source.load()
        let vocabularySize = source.tokenizer.map {
            min($0.vocabularySize, source.model.configuration.vocabularySize)
        }
        try write(source, vocabularySize)
        try Console.output("exported \(source.folder) to \(out)\n")
    }

    /// What is replaced is gone: only what an export may have written is.
    private func checkReplaced(_ kind: FileSystem.ItemKind?) throws {
        switch kind {
        case nil, .file: return
        case .other:
            throw UserError(.usage, "\(out) is neither file nor folder, and is not replaced: choose another --out")
        case .folder:
            let foreign = try FileSystem.names(inFolder: out).first { !Self.exportedNames.contains($0) }
            guard let foreign else { return }
            throw UserError(
                .usage,
                "\(out) holds \(foreign), which no export has written, and is not replaced: choose another --out"
            )
        }
    }

    /// Of all formats that are folders; a run or a checkpoint has other files besides.
    private static let exportedNames: Set = [
        "model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "model.bin", "tokenizer.bin",
    ]

    private func write(_ source: TrainedModel, _ vocabularySize: Int?) throws {
        switch format {
        case .hf:
            try HuggingFaceExport.write(
                source.model,
                to: out,
                vocabularySize: vocabularySize,
                tokenizer: source.tokenizer,
                replacing: overwrite
            )
        case .llmc:
            try LLMCExport.write(
                source.model,
                to: out,
                vocabularySize: vocabularySize,
                tokenizer: source.tokenizer,
                encoding: dtype == .float32 ? .float32 : .bfloat16,
                replacing: overwrite
            )
        case .gguf:
            try GGUFExport.write(
                source.model,
                to: out,
                name: source.state?.dataset ?? "gpt2",
                vocabularySize: vocabularySize,
                tokenizer: source.tokenizer,
                replacing: overwrite
            )
        }
    }
}
