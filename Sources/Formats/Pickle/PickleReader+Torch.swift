/// Descriptions of the tensors that PyTorch's pickles would create by calling functions. Nothing is called.
extension PickleReader {
    /// Returns the value of a persistent id. A storage is `("storage", class, key, location, elements)`, followed by a
    /// view or None in the format before 1.6. A class with its source is `("module", class, file, source)`.
    mutating func persistent(_ id: PickleNode) -> PickleNode {
        guard let parts = graph.elements(id), parts.count >= 4, let kind = graph.name(parts[0]) else { return .unknown }
        if kind == "module" { return parts[1] }
        guard kind == "storage", parts.count >= 5, let name = graph.globalName(parts[1]),
            let type = TorchElementType(storageClass: name), let key = graph.name(parts[2]),
            case .integer(let count) = parts[4], count >= 0
        else { return .unknown }
        var storage = TorchTensor.Storage(key: key, type: type, start: 0, count: count)
        if parts.count > 5, let view = graph.elements(parts[5]) {
            guard view.count == 3, case .integer(let start) = view[1], case .integer(let size) = view[2], start >= 0,
                size >= 0, start <= count, size <= count - start
            else { return .unknown }
            (storage.start, storage.count) = (start, size)
        }
        graph.storages.append(storage)
        return .storage(graph.storages.count - 1)
    }

    /// Returns the tensor that a PyTorch function would create from these arguments, or nil.
    mutating func tensor(_ function: String, _ arguments: [PickleNode]) -> PickleNode? {
        switch function {
        case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
            return tensor(arguments, type: nil, metadata: arguments.count > 6 ? arguments[6] : .none)
        case "torch._utils._rebuild_tensor_v3":
            // The storage has no type; the arguments give it.
            guard arguments.count > 6, let name = graph.globalName(arguments[6]),
                let type = TorchElementType(dtype: name)
            else { return nil }
            return tensor(arguments, type: type, metadata: arguments.count > 7 ? arguments[7] : .none)
        case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
            "torch._utils._rebuild_device_tensor_from_cpu_tensor":
            guard case .tensor? = arguments.first else { return nil }
            return arguments[0]
        case "torch._tensor._rebuild_from_type_v2", "torch._tensor._rebuild_from_type":
            // (function, class, arguments, state): a tensor with its own attributes.
            guard arguments.count >= 3, let inner = graph.globalName(arguments[0]), inner.hasPrefix("torch._utils."),
                let values = graph.elements(arguments[2])
            else { return nil }
            return tensor(inner, values)
        default: return nil
        }
    }

    private mutating func tensor(
        _ arguments: [PickleNode],
        type: TorchElementType?,
        metadata: PickleNode
    ) -> PickleNode? {
        guard arguments.count >= 4, case .storage(let index) = arguments[0], case .integer(let offset) = arguments[1],
            offset >= 0, let shape = sizes(arguments[2]), let strides = sizes(arguments[3]),
            shape.count == strides.count
        else { return nil }
        // Metadata marks tensors whose values must be negated or conjugated, so they differ from the values in the
        // storage.
        if case .container(let index) = metadata, !graph.containers[index].elements.isEmpty { return nil }
        var storage = graph.storages[index]
        if let type {
            guard storage.type == .untyped else { return nil }
            (storage.start, storage.count) = (storage.start / type.size, storage.count / type.size)
            storage.type = type
        }
        graph.tensors.append(TorchTensor(storage: storage, offset: offset, shape: shape, strides: strides))
        return .tensor(graph.tensors.count - 1)
    }

    private func sizes(_ node: PickleNode) -> [Int]? {
        // PyTorch tensors have at most 64 dimensions.
        guard let values = graph.elements(node), values.count <= 64 else { return nil }
        var sizes: [Int] = []
        for value in values {
            guard case .integer(let size) = value, size >= 0 else { return nil }
            sizes.append(size)
        }
        return sizes
    }
}
