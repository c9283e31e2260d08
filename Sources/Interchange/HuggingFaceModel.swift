import Compute
import Formats
import Transformer

/// A GPT-2 as Hugging Face's transformers saves it: a folder with `config.json` and `model.safetensors`.
///
/// ```swift
/// let source = try HuggingFaceModel(folder: "gpt2")
/// let model = GPT(configuration: source.configuration, pool: pool)
/// try source.load(into: model)
/// ```
/// Tensor names may lack the `transformer.` prefix, as in OpenAI's own upload. A checkpoint of this project is such a
/// folder too; the key `bias` of its `config.json` says when the zero biases in the file do not exist in the model.
public struct HuggingFaceModel: Sendable {
    public let folder: String
    /// The shape of the model. Dropout is 0: it belongs to a run, not to weights.
    public let configuration: GPTConfiguration
    private let file: SafetensorsFile
    /// `transformer.` or nothing.
    private let prefix: String

    /// Reads the description and the header of the weights, and checks every name and shape.
    ///
    /// - Throws: `UserError(.inputOutput)` when a file cannot be read, `UserError(.data)` when it is not a GPT-2 that can be
    ///   computed here, with the key or tensor and what was expected.
    public init(folder: String) throws {
        self.folder = folder
        configuration = try HuggingFaceConfiguration.read(folder + "/config.json")
        file = try SafetensorsFile(path: folder + "/model.safetensors")
        prefix = file.tensors["wte.weight"] == nil ? Self.standardPrefix : ""
        try checkTensors()
    }

    /// Copies the weights into a model of this shape; one with a shorter block takes the first positions.
    ///
    /// - Throws: `UserError(.data)` when a weight is not finite, or when the file has biases for a model without.
    public func load(into model: GPT) throws {
        var expected = model.configuration
        expected.dropout = configuration.dropout
        expected.blockSize = configuration.blockSize
        precondition(expected == configuration && model.configuration.blockSize <= configuration.blockSize)
        let layout = ParameterLayout(configuration)
        let target = model.parameters.elements
        for (source, tensor) in zip(layout.tensors, model.layout.tensors) {
            let destination = UnsafeMutableBufferPointer(rebasing: target[tensor.range])
            if source.shape == tensor.shape {
                try file.floats(named: name(source.name), into: destination)
            } else {
                let whole = FloatBuffer(count: source.range.count)
                try file.floats(named: name(source.name), into: whole.elements)
                destination.baseAddress!.update(from: whole.base, count: destination.count)
            }
            guard destination.allSatisfy(\.isFinite) else {
                throw UserError(.data, "\(file.path): tensor \(name(source.name)) has values that are not finite")
            }
        }
        for absent in layout.huggingFaceTensors where absent.range == nil {
            let bias = FloatBuffer(count: absent.shape[0])
            guard file.tensors[name(absent.name)] != nil else { continue }
            try file.floats(named: name(absent.name), into: bias.elements)
            guard bias.elements.allSatisfy({ $0 == 0 }) else {
                throw UserError(
                    .data,
                    "\(file.path): tensor \(name(absent.name)) is not zero, but config.json says \"bias\": false"
                )
            }
        }
    }

    private func name(_ standard: String) -> String {
        prefix + standard.dropFirst(Self.standardPrefix.count)
    }

    private func checkTensors() throws {
        // Before a layout is made from a number of layers that the file may not bear out.
        guard configuration.layerCount <= file.tensors.count else {
            throw UserError(
                .data,
                "\(file.path) has \(file.tensors.count) tensors, too few for the \(configuration.layerCount) layers of config.json"
            )
        }
        var unknown = Set(file.tensors.keys)
        for tensor in ParameterLayout(configuration).huggingFaceTensors {
            let name = name(tensor.name)
            unknown.remove(name)
            guard let entry = file.tensors[name] else {
                if tensor.range == nil { continue }
                throw UserError(.data, "\(file.path) has no tensor \(name), which config.json calls for")
            }
            guard entry.shape == tensor.shape else {
                throw UserError(
                    .data,
                    "\(file.path): tensor \(name) has shape \(entry.shape), but config.json says \(tensor.shape)"
                )
            }
        }
        // Constant masks of older versions, and the head where it was written although it is tied.
        let harmless = { (name: String) in
            name == "lm_head.weight" || name.hasSuffix(".attn.bias") || name.hasSuffix(".attn.masked_bias")
        }
        if let name = unknown.filter({ !harmless($0) }).min() {
            throw UserError(.data, "\(file.path) has a tensor \(name), which GPT-2 does not have")
        }
    }

    private static let standardPrefix = "transformer."
}
