import Compute
import Formats
import ModelFiles
import Platform
import Transformer

/// A GPT-2 in another tool's files: a folder or file of Hugging Face, a model file of llm.c, or nanoGPT's ckpt.pt.
///
/// ```swift
/// let source = try PretrainedModel(path: "gpt2")
/// let model = GPT(configuration: source.configuration, context: ComputeContext(pool: pool))
/// try source.load(into: model)
/// ```
/// What a file is, its first bytes say and not its name. Files are mapped: nothing is held in memory but the tensor
/// that is being read.
public struct PretrainedModel: Sendable {
    /// The file or folder, as it was named.
    public let path: String
    /// Where the weights lie, and a tokenizer that may be beside them.
    public let folder: String
    /// The shape of the model. Dropout is 0: it belongs to a run, not to weights.
    public var configuration: GPTConfiguration { tensors.configuration }
    /// What a user should know of how the file was understood, a sentence each: where weights and description differ, for
    /// instance.
    public var notices: [String] { tensors.notices }
    private let tensors: ModelTensors
    private var file: any ModelFile { tensors.file }

    /// Reads the description, and checks every tensor's name and shape.
    ///
    /// - Parameter headCount: of a state_dict of PyTorch, in which nothing says it.
    /// - Throws: `UserError(.inputOutput)` when a file cannot be read, `UserError(.data)` when it is not a GPT-2 that
    ///   can be computed here, with the key or tensor and what was expected.
    public init(path: String, headCount: Int? = nil) throws {
        self.path = path
        let isFolder = FileSystem.kind(of: path) == .folder
        folder = isFolder ? path : FileSystem.folder(of: path)
        tensors = try ModelTensors(Self.file(isFolder ? Self.weights(inFolder: path) : path, headCount: headCount))
    }

    /// Safetensors come first, as in transformers: they are the same model as an older file beside them.
    private static func weights(inFolder folder: String) throws -> String {
        let names = HuggingFaceFile.modelNames + ["ckpt.pt"] + HuggingFaceFile.legacyModelNames
        guard let name = names.first(where: { FileSystem.kind(of: folder + "/" + $0) == .file }) else {
            let found = try FileSystem.names(inFolder: folder)
            let list = found.prefix(5).joined(separator: ", ") + (found.count > 5 ? " and \(found.count - 5) more" : "")
            throw UserError(
                .inputOutput,
                """
                \(folder) has no model: none of \(names.dropLast().joined(separator: ", ")) and \(names.last!); it has \
                \(found.isEmpty ? "no files" : list)
                """
            )
        }
        return folder + "/" + name
    }

    private static func file(_ path: String, headCount: Int?) throws -> any ModelFile {
        let file = try MappedFile(path: path)
        let start = Array(file.bytes.prefix(32))
        if start.withUnsafeBytes(TorchFile.isOne) {
            // A state_dict says nothing of the model: its description lies beside it, that of a ckpt.pt in it.
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
                "\(path) is a GGUF file, which is written but not read: name the model it was made from"
            )
        }
        // A safetensors file is the length of a JSON object, and that object; the length may begin with the byte of a brace.
        let isSafetensors = start.dropFirst(8).first == UInt8(ascii: "{")
        if start.first == UInt8(ascii: "{"), !isSafetensors { return try HuggingFaceFile(path: path, isIndex: true) }
        guard isSafetensors || path.hasSuffix(".safetensors") else {
            throw UserError(
                .data,
                """
                \(path) is no model that can be read: known are safetensors files, pytorch_model.bin and folders of Hugging Face, \
                model files of llm.c and ckpt.pt of nanoGPT
                """
            )
        }
        return try HuggingFaceFile(path: path, isIndex: false)
    }

    // MARK: - Weights

    /// Copies the weights into a model of this shape; one with a shorter block takes the first positions.
    ///
    /// - Throws: `UserError(.data)` when a weight is not finite.
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

    /// Multiplies queries by the factor of their layer: exactly where it is a power of two, else to the nearest float.
    private func scaleQueries(of model: GPT) {
        let queries = configuration.headCount * configuration.headSize
        for layer in 0..<configuration.layerCount {
            let factor = file.queryFactor(inLayer: layer)
            guard factor != 1 else { continue }
            for kind in ["weight", "bias"] {
                // Columns or elements are those of queries, keys and values.
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

    /// Reads the first elements of a tensor: all, or the first positions of an embedding.
    private func read(
        _ name: String,
        isOutputFirst: Bool,
        into destination: UnsafeMutableBufferPointer<Float>
    ) throws {
        guard let stored = try file.tensor(named: name) else { preconditionFailure("\(name) was there a moment ago") }
        // A model would take its size twice, and a large one more than there is.
        defer { MappedFile.release(stored.bytes) }
        guard isOutputFirst else { return stored.decode(from: 0, into: destination) }
        let (outputs, inputs) = (stored.shape[0], stored.shape[1])
        MatrixTransposition.write(columns: outputs, rows: inputs, into: destination) { columns, rows in
            stored.decode(from: inputs * columns.lowerBound, into: rows)
        }
    }
}
