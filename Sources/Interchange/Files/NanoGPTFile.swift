import Formats
import Platform
import Transformer

/// A GPT that `torch.save` wrote: nanoGPT's `ckpt.pt` and its relatives.
///
/// | the file holds | the shape is | the GELU is |
/// | --- | --- | --- |
/// | `model` with `model_args`, as nanoGPT | `model_args` | exact |
/// | `model` with `config`, an object with the sizes, as build-nanogpt | `config` | that of tanh; exact where `config` has nanoGPT's `bias` or `dropout` |
/// | a state_dict, by itself or as `model` | that of the tensors, with a number of heads that the user gives | exact |
///
/// Weights of linear layers are (out, in). `lm_head.weight` is the token embedding a second time, unless they were
/// trained apart.
struct NanoGPTFile: ModelFile {
    let configuration: GPTConfiguration
    let descriptionName: String
    let isOutputFirst = true
    let notices: [String]
    private let path: String
    private let tensors: TorchTensors
    private let names: TensorNames

    /// - Parameter headCount: of a state_dict, which does not say it.
    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` when it is no GPT.
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
                \(path) has no model_args: its config gives the shape, with \
                \(isNanoGPT ? "the exact GELU, as in nanoGPT" : "the tanh GELU, as in build-nanogpt")
                """
            ]
        } else {
            descriptionName = "the state_dict"
            configuration = try Self.configuration(tensors, names, headCount: headCount, path: path)
            notices = [
                """
                \(path) is a state_dict: the shape is that of its tensors, with n_head=\
                \(configuration.attention.headCount) as given and the exact GELU, as in nanoGPT
                """
            ]
        }
        guard configuration.embeddingSize % configuration.attention.headCount == 0 else {
            throw UserError(
                .data,
                """
                \(path): n_embd=\(configuration.embeddingSize) is no multiple of \
                n_head=\(configuration.attention.headCount)
                """
            )
        }
    }

    /// The part of a file that holds the weights, and what a message calls it.
    private static func model(of file: TorchFile) throws -> (PickleValue, name: String) {
        for key in ["model", "model_state_dict", "state_dict"] {
            if let model = file.value[key] { return (model, "its \(key)") }
        }
        let pairs = file.value.pairs ?? []
        let isState = pairs.contains {
            $0.value.tensorValue != nil && $0.key.stringValue?.hasSuffix("wpe.weight") == true
        }
        if isState || file.value["_modules"] != nil {
            return (file.value, "what it holds")
        }
        let keys = pairs.compactMap(\.key.stringValue).prefix(5).joined(separator: ", ")
        throw UserError(
            .data,
            """
            \(file.path) is a file of PyTorch, but no model of nanoGPT's: it has no model with model_args; it \
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
        // Checkpoints from before nanoGPT had the option have biases.
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
                    throw UserError(.data, "\(path): tensor \(names(name)) has shape \(shape), which is no embedding's")
                }
                return (shape[0], shape[1])
            }
            let found = names.all.sorted().prefix(3).joined(separator: ", ")
            throw UserError(
                .data,
                """
                \(path) has neither model_args nor a tensor \(candidates[0]), so it is no GPT-2; its \(names.all.count) \
                tensors are \(found) and so on
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
                \(path) has the weights of a model and no model_args, and nothing in weights says how many heads attention \
                has: give --n_head (the width is \(tokens.columns), and GPT-2 has heads of 64)
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
