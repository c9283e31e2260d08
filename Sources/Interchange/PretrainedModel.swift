import Compute
import Formats
import ModelFiles
import Platform
import Transformer

/// A GPT-2 in the files of another tool: a folder or file of Hugging Face, a model file of llm.c, or nanoGPT's ckpt.pt.
///
/// ```swift
/// let source = try PretrainedModel(path: "gpt2")
/// let model = GPT(configuration: source.configuration, context: ComputeContext(pool: pool))
/// try source.load(into: model)
/// ```
///
/// The format is detected by the first bytes of a file and not by its name. Files are memory-mapped, so only the tensor
/// that is being read is held in memory.
public struct PretrainedModel: Sendable {
    /// The path of the file or folder.
    public let path: String
    /// The folder of the weights, which may also have a tokenizer.
    public let folder: String
    /// The configuration of the model. Dropout is 0, because it is a setting of a run and not of a model.
    public var configuration: GPTConfiguration { tensors.configuration }
    /// Messages for the user about assumptions and conversions, such as differences between the weights and
    /// config.json.
    public var notices: [String] { tensors.notices }
    private let tensors: ModelTensors
    private var file: any ModelFile { tensors.file }

    /// Reads the configuration, and checks the names and shapes of all tensors.
    ///
    /// - Parameters:
    ///   - path: A file or folder.
    ///   - headCount: The number of attention heads per layer, required for a state_dict of PyTorch, which does not
    ///     contain it.
    /// - Throws: `UserError(.inputOutput)` if a file cannot be read, `UserError(.data)` with the key or tensor and the
    ///   expected value if the file is not a supported GPT-2, `UserError(.usage)` if `headCount` is required.
    public init(path: String, headCount: Int? = nil) throws {
        self.path = path
        let isFolder = FileSystem.kind(of: path) == .folder
        folder = isFolder ? path : FileSystem.folder(of: path)
        tensors = try ModelTensors(Self.file(isFolder ? Self.weights(inFolder: path) : path, headCount: headCount))
    }

    /// Returns the path of the weights. Safetensors take precedence over older formats in the same folder, as in
    /// transformers, because they contain the same model.
    private static func weights(inFolder folder: String) throws -> String {
        let names = HuggingFaceFile.modelNames + ["ckpt.pt"] + HuggingFaceFile.legacyModelNames
        guard let name = names.first(where: { FileSystem.kind(of: folder + "/" + $0) == .file }) else {
            let found = try FileSystem.names(inFolder: folder)
            let list = found.prefix(5).joined(separator: ", ") + (found.count > 5 ? " and \(found.count - 5) more" : "")
            throw UserError(
                .inputOutput,
                """
                \(folder) has no model: it needs one of \(names.dropLast().joined(separator: ", ")) and \(names.last!), \
                but has \(found.isEmpty ? "no files" : "only \(list)")
                """
            )
        }
        return folder + "/" + name
    }

    private static func file(_ path: String, headCount: Int?) throws -> any ModelFile {
        let file = try MappedFile(path: path)
        let start = Array(file.bytes.prefix(32))
        if start.withUnsafeBytes(TorchFile.hasMagic) {
            // A state_dict has only weights, so its configuration is in a config.json. A ckpt.pt contains its
            // configuration.
            let value = try TorchFile(path: path).value
            let isStateDictionary =
                value["model"] == nil && value.pairs?.contains { $0.value.tensorValue != nil } == true
            return isStateDictionary && HuggingFaceFile.hasDescription(path)
                ? try HuggingFaceFile(path: path, isIndex: false) : try NanoGPTFile(path: path, headCount: headCount)
        }
        if start.withUnsafeBytes(LLMCFile.hasMagic) { return try LLMCFile(path: path) }
        if start.starts(with: "GGUF".utf8) {
            throw UserError(
                .data,
                "\(path) is a GGUF file, which can be written but not read; pass the model that it was exported from"
            )
        }
        // A safetensors file starts with 8 bytes for the length of a JSON object, followed by the object. The first
        // byte of the length can be that of a brace too.
        let isSafetensors = start.dropFirst(8).first == UInt8(ascii: "{")
        if start.first == UInt8(ascii: "{"), !isSafetensors { return try HuggingFaceFile(path: path, isIndex: true) }
        guard isSafetensors || path.hasSuffix(".safetensors") else {
            throw UserError(
                .data,
                """
                \(path) is not a supported model; supported are safetensors files, pytorch_model.bin and folders of \
                Hugging Face, model files of llm.c, and ckpt.pt of nanoGPT
                """
            )
        }
        return try HuggingFaceFile(path: path, isIndex: false)
    }

    // MARK: - Weights

    /// Copies the weights into a model.
    ///
    /// - Parameter model: A model with the same configuration, except for dropout and the kind of attention. Its block
    ///   size can be smaller; then the first positions are copied.
    /// - Throws: `UserError(.data)` if a weight is not finite.
    public func load(into model: GPT) throws {
        var expected = model.configuration
        expected.dropout = configuration.dropout
        expected.blockSize = configuration.blockSize
        expected.ablations.attention = configuration.ablations.attention
        precondition(expected == configuration && model.configuration.blockSize <= configuration.blockSize)
        let target = model.parameters.elements
        for tensor in model.layout.tensors {
            let name = tensors.storedName(of: tensor.name)
            let destination = UnsafeMutableBufferPointer(rebasing: target[tensor.range])
            try read(name, isOutputFirst: file.isOutputFirst && tensor.isLinearWeight, into: destination)
            guard destination.allSatisfy(\.isFinite) else {
                throw UserError(.data, "\(file.path(ofTensor: name)): tensor \(name) has values that are not finite")
            }
        }
        scaleQueries(of: model)
    }

    /// Multiplies the queries of each layer by its factor. The result is exact if the factor is a power of two, and
    /// otherwise rounded to the nearest float.
    private func scaleQueries(of model: GPT) {
        let queries = configuration.headCount * configuration.headSize
        for layer in 0..<configuration.layerCount {
            let factor = file.queryFactor(inLayer: layer)
            guard factor != 1 else { continue }
            for kind in ["weight", "bias"] {
                // Each row has the queries, then the keys, then the values.
                guard let tensor = model.layout.tensor(named: "transformer.h.\(layer).attn.c_attn.\(kind)") else {
                    continue
                }
                for row in stride(from: tensor.range.lowerBound, to: tensor.range.upperBound, by: tensor.shape.last!) {
                    for index in row..<row + queries {
                        model.parameters.base[index] = Float(Double(model.parameters.base[index]) * factor)
                    }
                }
            }
        }
    }

    /// Reads the first elements of a tensor: all of them, or the first positions of the position embedding.
    private func read(
        _ name: String,
        isOutputFirst: Bool,
        into destination: UnsafeMutableBufferPointer<Float>
    ) throws {
        guard let stored = try file.tensor(named: name) else {
            preconditionFailure("the tensor \(name) was checked but is missing")
        }
        // Releases the mapped pages, because otherwise the model would take its size in memory twice.
        defer { MappedFile.release(stored.bytes) }
        guard isOutputFirst else { return stored.decode(from: 0, into: destination) }
        let (outputs, inputs) = (stored.shape[0], stored.shape[1])
        MatrixTransposition.write(columns: outputs, rows: inputs, into: destination) { columns, rows in
            stored.decode(from: inputs * columns.lowerBound, into: rows)
        }
    }
}
