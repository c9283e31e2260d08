import Formats
import Platform
import Transformer

/// nanoGPT's `ckpt.pt`: a file of PyTorch with `model`, the parameters under Hugging Face's names, and `model_args`,
/// the shape.
///
/// Weights of linear layers are (out, in), names may begin with `_orig_mod.`, as torch.compile leaves them, and the
/// GELU is the exact one. `lm_head.weight` is the token embedding a second time, unless they were trained apart.
struct NanoGPTFile: ModelFile {
    let configuration: GPTConfiguration
    let descriptionName = "model_args"
    let isOutputFirst = true
    private let file: TorchFile
    private let tensors: [String: TorchTensor]
    private let prefix: String

    private static let compiledPrefix = "_orig_mod."

    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` when it is no checkpoint
    ///   of nanoGPT, or names what makes no tensor.
    init(path: String) throws {
        file = try TorchFile(path: path)
        guard case .dictionary(let model)? = file.value["model"], let arguments = file.value["model_args"] else {
            throw UserError(.data, "\(path) is a file of PyTorch, but not nanoGPT's: it has no model with model_args")
        }
        var tensors: [String: TorchTensor] = [:]
        for pair in model {
            guard case .string(let name) = pair.key, case .tensor(let tensor) = pair.value else {
                throw UserError(.data, "\(path): its model has an entry that is no tensor with a name")
            }
            tensors[name] = tensor
        }
        prefix = tensors.keys.contains { $0.hasPrefix(Self.compiledPrefix) } ? Self.compiledPrefix : ""
        self.tensors = tensors
        configuration = try Self.configuration(arguments, path: path)
    }

    private static func configuration(_ arguments: PickleValue, path: String) throws -> GPTConfiguration {
        func size(_ name: String) throws -> Int {
            guard case .integer(let value)? = arguments[name], 1...(1 << 24) ~= value else {
                throw UserError(.data, "\(path): \(name) of its model_args is no whole number from 1 to \(1 << 24)")
            }
            return value
        }
        let configuration = GPTConfiguration(
            layerCount: try size("n_layer"),
            headCount: try size("n_head"),
            embeddingSize: try size("n_embd"),
            blockSize: try size("block_size"),
            vocabularySize: try size("vocab_size"),
            // Checkpoints from before nanoGPT had the option have biases.
            bias: arguments["bias"] != .bool(false),
            activation: .gelu
        )
        guard configuration.embeddingSize % configuration.headCount == 0 else {
            throw UserError(
                .data,
                """
                \(path): n_embd=\(configuration.embeddingSize) is no multiple of \
                n_head=\(configuration.headCount) in its model_args
                """
            )
        }
        return configuration
    }

    var tensorNames: [String] { Array(tensors.keys) }
    func ownName(of name: String) -> String { prefix + name }
    func path(ofTensor name: String) -> String { file.path }

    func tensor(named name: String) throws -> StoredTensor? {
        guard let tensor = tensors[name] else { return nil }
        let (bytes, encoding) = try file.bytes(of: tensor, named: name)
        return StoredTensor(shape: tensor.shape, encoding: encoding, bytes: bytes)
    }
}
