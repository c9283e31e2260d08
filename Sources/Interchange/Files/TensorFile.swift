import Formats
import Platform

/// A file that contains only named tensors: safetensors, or a state_dict that `torch.save` wrote.
enum TensorFile: Sendable {
    case safetensors(SafetensorsFile)
    case torch(String, TorchTensors)

    /// Detects the format by the first bytes of the file.
    ///
    /// - Throws: `UserError(.inputOutput)` if the file cannot be read, `UserError(.data)` if it has another format.
    init(path: String) throws {
        let file = try MappedFile(path: path)
        guard TorchFile.hasMagic(file.bytes) else {
            self = .safetensors(try SafetensorsFile(path: path))
            return
        }
        let torch = try TorchFile(path: path)
        self = .torch(path, try TorchTensors(torch.value, named: "its content", of: torch))
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

    /// - Throws: `UserError(.data)` if the tensor cannot be read as floats.
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
