import Formats
import Platform

/// A file of tensors by name, and nothing else: safetensors, or a state dictionary that `torch.save` wrote.
enum TensorFile: Sendable {
    case safetensors(SafetensorsFile)
    case torch(String, TorchTensors)

    /// What a file is, its first bytes say.
    ///
    /// - Throws: `UserError(.inputOutput)` when it cannot be read, `UserError(.data)` when it is no such file.
    init(path: String) throws {
        let file = try MappedFile(path: path)
        guard TorchFile.hasMagic(file.bytes) else {
            self = .safetensors(try SafetensorsFile(path: path))
            return
        }
        let torch = try TorchFile(path: path)
        self = .torch(path, try TorchTensors(torch.value, named: "what it holds", of: torch))
    }

    var path: String {
        switch self {
        case .safetensors(let file): file.path
        case .torch(let path, _): path
        }
    }

    var names: [String] {
        switch self {
        case .safetensors(let file): Array(file.tensors.keys)
        case .torch(_, let tensors): tensors.names
        }
    }

    func has(_ name: String) -> Bool {
        switch self {
        case .safetensors(let file): file.tensors[name] != nil
        case .torch(_, let tensors): tensors.shape(of: name) != nil
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
        case .torch(_, let tensors): return try tensors.tensor(named: name)
        }
    }
}
