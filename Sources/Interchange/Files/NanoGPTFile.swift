import Formats
import Platform
import Transformer

/// A GPT that `torch.save` wrote: nanoGPT's `ckpt.pt` and similar files.
///
/// | content of the file | source of the shape | GELU |
/// | --- | --- | --- |
/// | `model` and `model_args`, as in nanoGPT | `model_args` | exact |
/// | `model` and an object `config` with the sizes, as in build-nanogpt | `config` | tanh; exact if `config` has nanoGPT's `bias` or `dropout` |
/// | a state_dict, by itself or as `model` | the tensors, and the number of heads that the user passes | exact |
///
/// Weights of linear layers are (out, in). `lm_head.weight` is a copy of the token embedding, unless they are not tied.
struct NanoGPTFile: ModelFile {
    let configuration: GPTConfiguration
    let descriptionName: String
    let isOutputFirst = true
    let notices: [String]
    private let path: String
    private let tensors: TorchTensors
    private let names: TensorNames

    /// - Parameters:
    ///   - path: The path of the file.
    ///   - headCount: The number of heads, which a state_dict does not contain.
    /// - Throws: `UserError(.inputOutput)` if the file cannot be read, `UserError(.data)` if it is not a GPT,
    ///   `UserError(.usage)` if a state_dict is read without `headCount`.
    init(path: String, headCount: Int? = nil) throws {
        self.path = path
        let file = try TorchFile(path: path)
        let (model, name) = try Self.model(of: file)
        tensors = try TorchTensors(model, named: name, of: file)
        names = try TensorNames(tensors.names, path: path)
        if let arguments = file.value["model_args"] {
            descriptionName = "model_args"
            configuration = try Self.configuration(arguments, descriptionName, path: path, activation: .gelu)
            notices = []
        } else if let config = file.value["config"], Self.sizeNames.allSatisfy({ config[$0]?.integerValue != nil }) {
            descriptionName = "config"
            let isNanoGPT = config["bias"] != nil || config["dropout"] != nil
            configuration = try Self.configuration(
                config,
                descriptionName,
                path: path,
                activation: isNanoGPT ? .gelu : .gelu_tanh
            )
            notices = [
                """
                \(path) has no model_args; using the shape in its config and \
                \(isNanoGPT ? "the exact GELU, as in nanoGPT" : "the tanh GELU, as in build-nanogpt")
                """
            ]
        } else {
            descriptionName = "the state_dict"
            configuration = try Self.configuration(tensors, names, headCount: headCount, path: path)
            notices = [
                """
                \(path) is a state_dict; using the shape of its tensors, n_head=\
                \(configuration.attention.headCount) as given, and the exact GELU, as in nanoGPT
                """
            ]
        }
        guard configuration.embeddingSize % configuration.attention.headCount == 0 else {
            throw UserError(
                .data,
                """
                \(path): n_embd=\(configuration.embeddingSize) is not a multiple of \
                n_head=\(configuration.attention.headCount)
                """
            )
        }
    }

    /// Returns the value with the weights, and its name for messages.
    private static func model(of file: TorchFile) throws -> (PickleValue, name: String) {
        for key in ["model", "model_state_dict", "state_dict"] {
            if let model = file.value[key] { return (model, "its \(key)") }
        }
        let pairs = file.value.pairs ?? []
        let isState = pairs.contains {
            $0.value.tensorValue != nil && $0.key.stringValue?.hasSuffix("wpe.weight") == true
        }
        if isState || file.value["_modules"] != nil {
            return (file.value, "its content")
        }
        let keys = pairs.compactMap(\.key.stringValue).prefix(5).joined(separator: ", ")
        throw UserError(
            .data,
            """
            \(file.path) is a PyTorch file, but not a nanoGPT model: it has no model with model_args; it \
            \(keys.isEmpty ? "is \(file.value)" : "has \(keys)")
            """
        )
    }

    // MARK: - The shape

    private static let sizeNames = ["n_layer", "n_head", "n_embd", "block_size", "vocab_size"]
    private static let sizes = 1...(1 << 24)

    private static func configuration(
        _ arguments: PickleValue,
        _ name: String,
        path: String,
        activation: Activation
    ) throws -> GPTConfiguration {
        let values = try sizeNames.map { key in
            guard let value = arguments[key]?.integerValue, sizes.contains(value) else {
                let value = arguments[key].map { "it is \($0)" } ?? "it is missing"
                let found = arguments.pairs == nil ? "\(name) is \(arguments)" : value
                throw UserError(
                    .data,
                    "\(path): \(key) of its \(name) must be a whole number from 1 to \(sizes.upperBound), but \(found)"
                )
            }
            return value
        }
        // Checkpoints that are older than nanoGPT's option `bias` have biases.
        let bias = arguments["bias"]?.boolValue ?? true
        return GPTConfiguration(
            layerCount: values[0],
            headCount: values[1],
            embeddingSize: values[2],
            blockSize: values[3],
            vocabularySize: values[4],
            bias: bias,
            activation: activation
        )
    }

    private static func configuration(
        _ tensors: TorchTensors,
        _ names: TensorNames,
        headCount: Int?,
        path: String
    ) throws -> GPTConfiguration {
        func shape(_ candidates: String...) throws -> (rows: Int, columns: Int) {
            for name in candidates {
                guard let shape = tensors.shape(of: names(name)) else { continue }
                guard shape.count == 2, shape.allSatisfy(sizes.contains) else {
                    throw UserError(
                        .data,
                        "\(path): tensor \(names(name)) has shape \(shape), but an embedding has two dimensions"
                    )
                }
                return (shape[0], shape[1])
            }
            let found = names.all.sorted().prefix(3).joined(separator: ", ")
            throw UserError(
                .data,
                """
                \(path) has neither model_args nor a tensor \(candidates[0]), so it is not a GPT-2; it has \
                \(names.all.count) tensors, such as \(found)
                """
            )
        }
        let (tokens, positions) = (
            try shape(OutputHead.embeddingName, OutputHead.headName), try shape("transformer.wpe.weight")
        )
        let layers = Set(
            names.all.filter { $0.hasPrefix("transformer.h.") }.compactMap {
                $0.split(separator: ".").dropFirst(2).first
            }
        )
        guard let headCount, sizes.contains(headCount) else {
            throw UserError(
                .usage,
                """
                \(path) has weights but no model_args, and the number of attention heads cannot be derived from weights; \
                pass --n_head (the width is \(tokens.columns), and GPT-2 has heads of width 64)
                """
            )
        }
        return GPTConfiguration(
            layerCount: max(1, layers.count),
            headCount: headCount,
            embeddingSize: tokens.columns,
            blockSize: positions.rows,
            vocabularySize: tokens.rows,
            bias: names.all.contains { $0.hasSuffix("ln_f.bias") },
            activation: .gelu
        )
    }

    // MARK: - Tensors

    var tensorNames: [String] { tensors.names }
    func storedName(of name: String) -> String { names(name) }
    func path(ofTensor name: String) -> String { path }
    func tensor(named name: String) throws -> StoredTensor? { try tensors.tensor(named: name) }
}
