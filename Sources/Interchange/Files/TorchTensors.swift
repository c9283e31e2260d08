import Formats
import Platform

/// The tensors of a model in a file of PyTorch: what `state_dict()` returned when it was saved.
struct TorchTensors: Sendable {
    private let file: TorchFile
    private let tensors: [String: TorchTensor]

    /// - Parameters:
    ///   - state: a value of the file.
    ///   - name: what a message calls it.
    /// - Throws: `UserError(.data)` when it is anything but tensors with names.
    init(_ state: PickleValue, named name: String, of file: TorchFile) throws {
        self.file = file
        guard let pairs = state.pairs, state["_modules"] == nil else {
            throw UserError(
                .data,
                """
                \(file.path): \(name) is \(state) and no state_dict (nothing of it was run); save what \
                model.state_dict() returns
                """
            )
        }
        var tensors: [String: TorchTensor] = [:]
        for (key, value) in pairs {
            guard let key = key.stringValue, let tensor = value.tensorValue else {
                throw UserError(
                    .data,
                    """
                    \(file.path): entry \(key) of \(name) is \(value) and no tensor that can be read (nothing of it was run)
                    """
                )
            }
            tensors[key] = tensor
        }
        self.tensors = tensors
        try checkSize()
    }

    /// Tensors may share a storage, or repeat one element many times: a small file can describe a model that no memory
    /// holds.
    private func checkSize() throws {
        let limit = (1 << 20) + 64 * file.byteCount
        var rest = limit
        for tensor in tensors.values {
            guard let count = Sizes.product(tensor.shape), count <= rest else {
                throw UserError(
                    .data,
                    "\(file.path) has \(file.byteCount) bytes, but describes more than \(limit) elements of tensors"
                )
            }
            rest -= count
        }
    }

    var names: [String] { Array(tensors.keys) }

    func shape(of name: String) -> [Int]? { tensors[name]?.shape }

    /// - Throws: `UserError(.data)` when it is not of floats, or not all there.
    func tensor(named name: String) throws -> StoredTensor? {
        guard let tensor = tensors[name] else { return nil }
        let (bytes, encoding) = try file.bytes(of: tensor, named: name)
        return StoredTensor(shape: tensor.shape, encoding: encoding, bytes: bytes, strides: tensor.strides)
    }
}
