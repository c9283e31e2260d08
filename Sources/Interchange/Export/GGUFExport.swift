import Compute
import Formats
import ModelFiles
import Platform
import Tokenizers
import Transformer

/// Writes a model as one GGUF file, which llama.cpp and the tools around it load.
///
/// The layout and the keys follow the GGUF specification, version 3, and the `gpt2` architecture of the Python package
/// gguf.
public enum GGUFExport {
    /// Writes the file, which gets its name when it is complete. Biases that the model does not have are written as
    /// zeros.
    ///
    /// - Parameters:
    ///   - model: The model to write.
    ///   - path: The path of the file.
    ///   - name: The name of the model in the metadata.
    ///   - vocabularySize: The number of rows of the token embedding to write, which leaves out the padding of the
    ///     vocabulary, or nil for all rows.
    ///   - tokenizer: The tokenizer to include, or nil for a file that supports only token ids.
    ///   - replacing: Whether to replace an existing file.
    /// - Throws: `UserError(.usage)` if the format does not support the model or the file exists, `UserError(.data)` if
    ///   the format does not support the tokenizer, `UserError(.inputOutput)` if the file cannot be written.
    public static func write(
        _ model: GPT,
        to path: String,
        name: String,
        vocabularySize: Int? = nil,
        tokenizer: (any Tokenizer)? = nil,
        replacing: Bool = false
    ) throws {
        try ExportRules.checkVariants(model.configuration, format: "GGUF's gpt2")
        try ExportRules.checkActivation(model.configuration, format: "GGUF's gpt2")
        guard replacing || FileSystem.kind(of: path) == nil else {
            throw UserError(.usage, "\(path) already exists; choose another name or replace it")
        }
        var configuration = model.configuration
        configuration.vocabularySize = vocabularySize ?? configuration.vocabularySize
        precondition(configuration.vocabularySize <= model.configuration.vocabularySize)
        var metadata = GGUFMetadata()
        describe(configuration, name: name, in: &metadata)
        if let tokenizer {
            try describe(tokenizer, in: &metadata)
        } else {
            metadata.add("tokenizer.ggml.model", "none")
        }

        try FileSystem.createFolder(FileSystem.folder(of: path))
        let file = try AtomicFile(path: path)
        try model.layout.withHuggingFaceTensors(of: model.parameters, vocabularySize: vocabularySize) { tensors in
            let linear = Set(model.layout.tensors.filter(\.isLinearWeight).map(\.name))
            try header(metadata, tensors, linear).withUnsafeBytes { try file.append($0) }
            let writer = TensorWriter(file: file, encoding: .float32)
            for tensor in tensors {
                try writer.write(tensor, isLinearWeight: linear.contains(tensor.name))
                try writer.writeZeros(padding(4 * tensor.values.count) / 4)
            }
        }
        try file.commit()
    }

    private typealias Tensor = SafetensorsWriter.Tensor

    // MARK: - Metadata

    private static func describe(_ configuration: GPTConfiguration, name: String, in metadata: inout GGUFMetadata) {
        metadata.add("general.architecture", "gpt2")
        metadata.add("general.name", name)
        metadata.add("general.file_type", UInt32(0))  // all float32
        metadata.add("gpt2.vocab_size", UInt32(configuration.vocabularySize))
        metadata.add("gpt2.context_length", UInt32(configuration.blockSize))
        metadata.add("gpt2.embedding_length", UInt32(configuration.embeddingSize))
        metadata.add("gpt2.block_count", UInt32(configuration.layerCount))
        metadata.add("gpt2.feed_forward_length", UInt32(4 * configuration.embeddingSize))
        metadata.add("gpt2.attention.head_count", UInt32(configuration.headCount))
        metadata.add("gpt2.attention.layer_norm_epsilon", Float(1e-5))
    }

    private static func describe(_ tokenizer: any Tokenizer, in metadata: inout GGUFMetadata) throws {
        let form = ByteLevelForm(tokenizer)
        if let token = form.addedTokens.first(where: { !$0.isPlain }) {
            throw UserError(
                .data,
                """
                GGUF does not support lstrip, rstrip and single_word of the added token \
                \(JSONValue.string(token.content).text()); export to another format or without the tokenizer
                """
            )
        }
        metadata.add("tokenizer.ggml.model", "gpt2")
        metadata.add("tokenizer.ggml.pre", "gpt-2")
        metadata.add("tokenizer.ggml.tokens", form.names)
        // Token types: 1 is normal, 3 is control, 4 is user-defined.
        var types = [Int32](repeating: 1, count: form.names.count)
        for token in form.addedTokens { types[Int(token.id)] = token.isSpecial ? 3 : 4 }
        metadata.add("tokenizer.ggml.token_type", types)
        metadata.add("tokenizer.ggml.merges", form.merges)
        guard let end = tokenizer.endOfText else { return }
        metadata.add("tokenizer.ggml.bos_token_id", UInt32(end))
        metadata.add("tokenizer.ggml.eos_token_id", UInt32(end))
    }

    // MARK: - Layout

    private static let alignment = 32

    private static func padding(_ size: Int) -> Int { (alignment - size % alignment) % alignment }

    /// Returns the bytes before the data of the tensors.
    private static func header(_ metadata: GGUFMetadata, _ tensors: [Tensor], _ linear: Set<String>) -> [UInt8] {
        var header = GGUFBytes()
        header.append(contentsOf: "GGUF".utf8)
        header.append(UInt32(3))
        header.append(UInt64(tensors.count))
        header.append(UInt64(metadata.count))
        header.bytes += metadata.content.bytes
        var offset = 0
        for tensor in tensors {
            header.append(self.name(of: tensor.name))
            header.append(UInt32(tensor.shape.count))
            // The dimension that varies fastest comes first: `in` for a matrix (out, in).
            let sizes = linear.contains(tensor.name) ? tensor.shape : tensor.shape.reversed()
            for size in sizes { header.append(UInt64(size)) }
            header.append(UInt32(0))  // float32
            header.append(UInt64(offset))
            let size = 4 * tensor.values.count
            offset += size + padding(size)
        }
        header.bytes += [UInt8](repeating: 0, count: padding(header.bytes.count))
        return header.bytes
    }

    private static let parts = [
        "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
        "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
    ]

    /// Returns the GGUF name of a tensor with a Hugging Face name such as `transformer.h.0.ln_1.weight`.
    private static func name(of tensor: String) -> String {
        let parts = tensor.split(separator: ".").dropFirst().map(String.init)
        let kind = parts.last!
        switch parts[0] {
        case "wte": return "token_embd.weight"
        case "wpe": return "position_embd.weight"
        case "ln_f": return "output_norm.\(kind)"
        default: return "blk.\(parts[1]).\(self.parts[parts[2..<(parts.count - 1)].joined(separator: ".")]!).\(kind)"
        }
    }
}
