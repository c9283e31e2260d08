import Formats
import Platform

/// A file of tensors by name, and nothing else: safetensors, or a state dictionary that `torch.save` wrote.
enum TensorFile: Sendable {
    case safetensors(SafetensorsFile)
    case torch(TorchFile, [String: TorchTensor])

    /// What a file is, its first bytes say.
    ///
    /// - Throws: `UserError(.inputOutput)` when it cannot be read, `UserError(.data)` when it is no such file.
    init(path: String) throws {
        let file = try MappedFile(path: path)
        guard TorchFile.isOne(file.bytes) else {
            self = .safetensors(try SafetensorsFile(path: path))
            return
        }
        let torch = try TorchFile(path: path)
        guard case .dictionary(let pairs) = torch.value else {
            throw UserError(.data, "\(path) is a file of PyTorch, but no dictionary of tensors")
        }
        var tensors: [String: TorchTensor] = [:]
        for pair in pairs {
            guard case .string(let name) = pair.key, case .tensor(let tensor) = pair.value else {
                throw UserError(.data, "\(path) has an entry that is no tensor with a name")
            }
            tensors[name] = tensor
        }
        self = .torch(torch, tensors)
    }

    var path: String {
        switch self {
        case .safetensors(let file): file.path
        case .torch(let file, _): file.path
        }
    }

    var names: [String] {
        switch self {
        case .safetensors(let file): Array(file.tensors.keys)
        case .torch(_, let tensors): Array(tensors.keys)
        }
    }

    func has(_ name: String) -> Bool {
        switch self {
        case .safetensors(let file): file.tensors[name] != nil
        case .torch(_, let tensors): tensors[name] != nil
        }
    }

    /// - Throws: `UserError(.data)` when it cannot be read as floats.
    func tensor(named name: String) throws -> StoredTensor? {
        switch self {
        case .safetensors(let file):
            guard let entry = file.tensors[name] else { return nil }
            return StoredTensor(
                shape: entry.shape,
                encoding: try file.encoding(of: name, entry),
                bytes: file.bytes(of: entry)
            )
        case .torch(let file, let tensors):
            guard let tensor = tensors[name] else { return nil }
            let (bytes, encoding) = try file.bytes(of: tensor, named: name)
            return StoredTensor(shape: tensor.shape, encoding: encoding, bytes: bytes)
        }
    }
}
