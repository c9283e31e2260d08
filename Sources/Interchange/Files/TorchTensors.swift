import Formats
import Platform

/// The tensors of a state_dict in a PyTorch file.
struct TorchTensors: Sendable {
    private let file: TorchFile
    private let tensors: [String: TorchTensor]

    /// - Parameters:
    ///   - state: The value that should be a state_dict.
    ///   - name: The name of the value in messages.
    ///   - file: The file that contains the value.
    /// - Throws: `UserError(.data)` if the value is anything other than named tensors.
    init(_ state: PickleValue, named name: String, of file: TorchFile) throws {
        self.file = file
        guard let pairs = state.pairs, state["_modules"] == nil else {
            throw UserError(
                .data,
                """
                \(file.path): \(name) is \(state), not a state_dict (no code in it was run); save the result of \
                model.state_dict() instead
                """
            )
        }
        var tensors: [String: TorchTensor] = [:]
        for (key, value) in pairs {
            guard let key = key.stringValue, let tensor = value.tensorValue else {
                throw UserError(
                    .data,
                    """
                    \(file.path): entry \(key) of \(name) is \(value), not a supported tensor (no code in it was run)
                    """
                )
            }
            tensors[key] = tensor
        }
        self.tensors = tensors
        try checkSize()
    }

    /// Rejects a file whose tensors have far more elements than the file has bytes. Tensors can share storage or repeat
    /// an element with stride 0, so a small file could otherwise describe a model that exceeds the memory.
    private func checkSize() throws {
        let limit = (1 << 20) + 64 * file.byteCount
        var rest = limit
        for tensor in tensors.values {
            guard let count = Sizes.product(tensor.shape), count <= rest else {
                throw UserError(
                    .data,
                    "\(file.path) has \(file.byteCount) bytes, but its tensors have more than \(limit) elements"
                )
            }
            rest -= count
        }
    }

    var names: [String] { Array(tensors.keys) }

    func shape(of name: String) -> [Int]? { tensors[name]?.shape }

    /// - Throws: `UserError(.data)` if the tensor is incomplete or its elements are not floats.
    func tensor(named name: String) throws -> StoredTensor? {
        guard let tensor = tensors[name] else { return nil }
        let (bytes, encoding) = try file.bytes(of: tensor, named: name)
        return StoredTensor(shape: tensor.shape, encoding: encoding, bytes: bytes, strides: tensor.strides)
    }
}
