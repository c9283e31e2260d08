import Formats
import ModelFiles
import Platform
import Tokenizers
import Transformer

/// Writes a model as a folder that Hugging Face's transformers loads with `GPT2LMHeadModel.from_pretrained`.
public enum HuggingFaceExport {
    /// Writes `model.safetensors`, `config.json` and the files of the tokenizer. The folder gets its name when it is
    /// complete.
    ///
    /// - Parameters:
    ///   - model: The model to write.
    ///   - folder: The path of the folder.
    ///   - vocabularySize: The number of rows of the token embedding to write, which leaves out the padding of the
    ///     vocabulary, or nil for all rows.
    ///   - tokenizer: The tokenizer to include, or nil for none.
    ///   - replacing: Whether to replace an existing folder.
    /// - Throws: `UserError(.usage)` if the model is not a GPT-2 or the folder exists, `UserError(.inputOutput)` if a
    ///   file cannot be written.
    public static func write(
        _ model: GPT,
        to folder: String,
        vocabularySize: Int? = nil,
        tokenizer: (any Tokenizer)? = nil,
        replacing: Bool = false
    ) throws {
        var configuration = model.configuration
        try ExportRules.checkVariants(
            configuration,
            format: "Hugging Face's gpt2",
            allowed: HuggingFaceConfiguration.supportedVariants
        )
        configuration.vocabularySize = vocabularySize ?? configuration.vocabularySize
        precondition(configuration.vocabularySize <= model.configuration.vocabularySize)
        let target = try AtomicFolder(path: folder)
        _ = try model.layout.withHuggingFaceTensors(of: model.parameters, vocabularySize: vocabularySize) { tensors in
            try SafetensorsWriter.write(
                path: target.temporaryPath + "/model.safetensors",
                metadata: ["format": "pt"],
                tensors: tensors
            )
        }
        try AtomicFile.write(
            HuggingFaceConfiguration.text(configuration, endOfText: tokenizer?.endOfText),
            to: target.temporaryPath + "/config.json"
        )
        if let tokenizer {
            try TokenizerFile.save(tokenizer, folder: target.temporaryPath)
            try AtomicFile.write(
                HuggingFaceConfiguration.tokenizerText(configuration, endOfText: tokenizer.endOfTextName),
                to: target.temporaryPath + "/" + TokenizerFile.settingsName
            )
        }
        try target.commit(replacing: replacing)
    }
}
