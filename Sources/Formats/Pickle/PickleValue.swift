/// A value of a pickle: plain data, a tensor's description, or something of Python's that stays closed.
///
/// ```swift
/// let meta = try PickleReader.read(path: "meta.pkl")
/// let size = meta["vocab_size"]?.integerValue
/// ```
/// Objects of classes that are not plain data are named and never made. Their attributes can be looked up.
public struct PickleValue: Sendable, CustomStringConvertible {
    private let node: PickleNode
    private let graph: PickleGraph

    init(_ node: PickleNode, in graph: PickleGraph) {
        self.node = node
        self.graph = graph
    }

    /// Whether it is None.
    public var isNone: Bool {
        if case .none = node { true } else { false }
    }

    /// A string, or nil. A string that is not Unicode is nil too.
    public var stringValue: String? { graph.text(node) }

    /// A whole number of up to 64 bits, or nil.
    public var integerValue: Int? {
        if case .integer(let value) = node { value } else { nil }
    }

    /// A Boolean, or nil.
    public var boolValue: Bool? {
        if case .bool(let value) = node { value } else { nil }
    }

    /// A floating-point number, or nil.
    public var numberValue: Double? {
        if case .number(let value) = node { value } else { nil }
    }

    /// Bytes, or nil.
    public var bytesValue: [UInt8]? {
        if case .text = node { nil } else { graph.bytes(node) }
    }

    /// Where a tensor of PyTorch lies, or nil.
    public var tensorValue: TorchTensor? {
        if case .tensor(let index) = node { graph.tensors[index] } else { nil }
    }

    /// All storages of PyTorch's that are named anywhere in the pickle that this value is of.
    var storages: [TorchTensor.Storage] { graph.storages }

    /// The values of a list or tuple, or nil.
    public var elements: [PickleValue]? {
        graph.elements(node)?.map { PickleValue($0, in: graph) }
    }

    /// Keys and values of a dictionary, in their order; of an object its entries or, without any, its attributes.
    public var pairs: [(key: PickleValue, value: PickleValue)]? {
        graph.pairs(node)?.map { (PickleValue($0.key, in: graph), PickleValue($0.value, in: graph)) }
    }

    /// The value of a string key of a dictionary, or of an attribute of an object.
    public subscript(key: String) -> PickleValue? {
        graph.pairs(node)?.last { graph.name($0.key) == key }.map { PickleValue($0.value, in: graph) }
    }

    /// The class of an object, or the function that would make it, such as `pathlib.PosixPath`.
    public var className: String? { graph.maker(node) }

    /// What it is, for messages: `12`, `"text"`, `a list of 3 values`, `an object of pathlib.PosixPath`.
    public var description: String {
        switch node {
        case .none: return "None"
        case .bool(let value): return value ? "True" : "False"
        case .integer(let value): return "\(value)"
        case .largeInteger: return "a whole number of more than 64 bits"
        case .number(let value): return "\(value)"
        case .text, .string:
            return stringValue.map { String($0.prefix(60)).debugDescription } ?? "a string that is not Unicode"
        case .bytes, .encodedBytes: return "bytes"
        case .global(let index): return graph.strings[index]
        case .storage: return "a storage of PyTorch"
        case .tensor(let index): return "a tensor of shape \(graph.tensors[index].shape)"
        case .unknown: return "a value that only the program that wrote it can read"
        case .container(let index):
            let count = graph.containers[index].elements.count
            switch graph.containers[index].kind {
            case .list: return "a list of \(count) values"
            case .tuple: return "a tuple of \(count) values"
            case .set: return "a set of \(count) values"
            case .dictionary: return "a dictionary of \(count / 2) entries"
            case .object: return className.map { "an object of \($0)" } ?? "an object"
            }
        }
    }
}
