/// What PyTorch's pickles call to make tensors, as descriptions: nothing is called.
///
/// Source: `torch/_utils.py` and `torch/serialization.py` (persistent ids of storages), as of PyTorch 1.6 to 2.13.
struct TorchConstructors: Sendable {
    private typealias Malformed = PickleReader.Malformed

    private static let orderedDictionary = "collections.OrderedDict"
    private static let tensors = ["torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"]
    private static let parameter = "torch._utils._rebuild_parameter"

    /// The class of a storage by the name of its elements' type.
    private static let storages: [String: TorchTensor.ElementType] = [
        "torch.FloatStorage": .float(.float32), "torch.HalfStorage": .float(.float16),
        "torch.BFloat16Storage": .float(.bfloat16), "torch.DoubleStorage": .other("float64"),
        "torch.LongStorage": .other("int64"), "torch.IntStorage": .other("int32"),
        "torch.ShortStorage": .other("int16"), "torch.CharStorage": .other("int8"),
        "torch.ByteStorage": .other("uint8"), "torch.BoolStorage": .other("bool"),
    ]

    func global(module: String, name: String) throws -> PickleValue {
        let global = module + "." + name
        guard
            Self.storages[global] != nil || Self.tensors.contains(global)
                || [Self.orderedDictionary, Self.parameter].contains(global)
        else {
            throw Malformed(reason: "it names \(global), which makes no tensor: refused, and nothing of it was run")
        }
        return .global(global)
    }

    /// A storage: `("storage", class, key, location, elements)`.
    func persistent(_ id: PickleValue) throws -> PickleValue {
        guard case .tuple(let parts) = id, parts.count == 5, parts[0] == .string("storage"),
            case .global(let name) = parts[1], let elements = Self.storages[name], case .string(let key) = parts[2],
            case .integer(let count) = parts[4], count >= 0
        else { throw Malformed(reason: "a persistent id that is no storage of numbers") }
        return .storage(TorchTensor.Storage(key: key, elements: elements, count: count))
    }

    func call(_ function: PickleValue, _ arguments: PickleValue) throws -> PickleValue {
        guard case .global(let name) = function, case .tuple(let arguments) = arguments else {
            throw Malformed(reason: "a call of what is no constructor")
        }
        switch name {
        case Self.orderedDictionary where arguments.isEmpty: return .dictionary([])
        case Self.parameter:
            guard case .tensor? = arguments.first else { break }
            return arguments[0]
        case _ where Self.tensors.contains(name):
            guard arguments.count >= 4, case .storage(let storage) = arguments[0],
                case .integer(let offset) = arguments[1], offset >= 0, let shape = Self.sizes(arguments[2]),
                let strides = Self.sizes(arguments[3]), shape.count == strides.count
            else { break }
            return .tensor(TorchTensor(storage: storage, offset: offset, shape: shape, strides: strides))
        default: break
        }
        throw Malformed(reason: "a call of \(name) with other arguments than those of a tensor")
    }

    private static func sizes(_ value: PickleValue) -> [Int]? {
        guard case .tuple(let values) = value else { return nil }
        var sizes: [Int] = []
        for value in values {
            guard case .integer(let size) = value, size >= 0 else { return nil }
            sizes.append(size)
        }
        return sizes
    }
}
