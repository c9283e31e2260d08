import Compute
import Formats
import ModelFiles
import Platform
import Tokenizers
import Transformer

/// Writes a model as a folder with the two files of llm.c: `model.bin` and `tokenizer.bin`.
public enum LLMCExport {
    /// The name of the file with the weights.
    public static let modelName = "model.bin"
    /// The name of the file with the bytes of each token, which is written only if there is a tokenizer.
    public static let tokenizerName = "tokenizer.bin"

    /// Writes the files. The folder gets its name when it is complete. Biases that the model does not have, and the
    /// rows that pad the vocabulary to a multiple of 128, are written as zeros.
    ///
    /// - Parameters:
    ///   - model: The model to write.
    ///   - folder: The path of the folder.
    ///   - vocabularySize: The number of rows of the token embedding to write, which leaves out the padding of the
    ///     vocabulary, or nil for all rows.
    ///   - tokenizer: The tokenizer to include, or nil for none.
    ///   - encoding: `float32` or `bfloat16`.
    ///   - replacing: Whether to replace an existing folder.
    /// - Throws: `UserError(.usage)` if the format does not support the model or the folder exists, `UserError(.data)`
    ///   if the format does not support the tokenizer, `UserError(.inputOutput)` if a file cannot be written.
    public static func write(
        _ model: GPT,
        to folder: String,
        vocabularySize: Int? = nil,
        tokenizer: (any Tokenizer)? = nil,
        encoding: FloatEncoding = .float32,
        replacing: Bool = false
    ) throws {
        try ExportRules.checkVariants(model.configuration, format: "llm.c")
        try ExportRules.checkActivation(model.configuration, format: "llm.c")
        var configuration = model.configuration
        configuration.vocabularySize = vocabularySize ?? configuration.vocabularySize
        precondition(configuration.vocabularySize <= model.configuration.vocabularySize)
        let tokens = try tokenizer.map(tokenizerFile)
        let target = try AtomicFolder(path: folder)
        let file = try AtomicFile(path: target.temporaryPath + "/" + modelName)
        let header: [Int32] = [
            LLMCFormat.magic, encoding == .float32 ? LLMCFormat.float32Version : LLMCFormat.bfloat16Version,
            Int32(configuration.blockSize), Int32(configuration.vocabularySize), Int32(configuration.layerCount),
            Int32(configuration.headCount), Int32(configuration.embeddingSize),
            Int32(LLMCFormat.paddedVocabularySize(configuration.vocabularySize)),
        ]
        try bytes(ofHeader: header).withUnsafeBytes { try file.append($0) }
        try write(model, configuration, TensorWriter(file: file, encoding: encoding))
        try file.commit()
        if let tokens { try AtomicFile.write(tokens, to: target.temporaryPath + "/" + tokenizerName) }
        try target.commit(replacing: replacing)
    }

    private static func write(_ model: GPT, _ configuration: GPTConfiguration, _ writer: TensorWriter) throws {
        let linear = Set(model.layout.tensors.filter(\.isLinearWeight).map(\.name))
        let rows = configuration.vocabularySize
        try model.layout.withHuggingFaceTensors(of: model.parameters, vocabularySize: rows) { tensors in
            let byName = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
            for kind in LLMCFormat.kinds(configuration) {
                for layer in 0..<(kind.isInEachLayer ? configuration.layerCount : 1) {
                    let tensor = byName[LLMCFormat.name(kind, layer: layer)]!
                    try writer.write(tensor, isLinearWeight: linear.contains(tensor.name))
                    // Only the token embedding is padded.
                    try writer.writeZeros(kind.shape.reduce(1, *) - tensor.values.count)
                }
            }
        }
    }

    private static func bytes(ofHeader header: [Int32]) -> [UInt8] {
        let words = header + [Int32](repeating: 0, count: LLMCFormat.headerCount - header.count)
        return words.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
    }

    /// Returns the content of `tokenizer.bin`: a header of 256 int32 (magic 20240328, version 2, the number of tokens,
    /// the id to start generating from), then for each token one byte with its length, followed by its bytes.
    private static func tokenizerFile(_ tokenizer: any Tokenizer) throws -> [UInt8] {
        var file = bytes(
            ofHeader: [20_240_328, 2, Int32(tokenizer.vocabularySize), tokenizer.startToken]
        )
        for id in 0..<Int32(tokenizer.vocabularySize) {
            let token = tokenizer.decode([id])
            guard 1...255 ~= token.count else {
                throw UserError(
                    .data,
                    """
                    llm.c's tokenizer file supports tokens of 1 to 255 bytes, but token \(id) of this \(tokenizer.name) \
                    tokenizer has \(token.count)
                    """
                )
            }
            file.append(UInt8(token.count))
            file += token
        }
        return file
    }
}
