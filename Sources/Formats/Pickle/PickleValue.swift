/// A value in a pickle: plain data, a tensor's description, or an opaque Python object.
///
/// ```swift
/// let meta = try PickleReader.read(path: "meta.pkl")
/// let size = meta["vocab_size"]?.integerValue
/// ```
/// An object of a class that is not plain data is never created. Its class name and its attributes can be read.
public struct PickleValue: Sendable, CustomStringConvertible {
    private let node: PickleNode
    private let graph: PickleGraph

    init(_ node: PickleNode, in graph: PickleGraph) {
        self.node = node
        self.graph = graph
    }

    /// Whether the value is Python's None.
    public var isNone: Bool {
        if case .none = node { true } else { false }
    }

    /// The string; nil if this is not a string, or is one that is not Unicode.
    public var stringValue: String? { graph.text(node) }

    /// The integer; nil if this is not an integer of up to 64 bits.
    public var integerValue: Int? {
        if case .integer(let value) = node { value } else { nil }
    }

    /// The Boolean; nil if this is not a Boolean.
    public var boolValue: Bool? {
        if case .bool(let value) = node { value } else { nil }
    }

    /// The floating-point number; nil if this is not one.
    public var numberValue: Double? {
        if case .number(let value) = node { value } else { nil }
    }

    /// The bytes; nil if this is not a bytes object.
    public var bytesValue: [UInt8]? {
        if case .text = node { nil } else { graph.bytes(node) }
    }

    /// The description of a PyTorch tensor; nil if this is not a tensor.
    public var tensorValue: TorchTensor? {
        if case .tensor(let index) = node { graph.tensors[index] } else { nil }
    }

    /// All PyTorch storages that appear anywhere in this value's pickle.
    var storages: [TorchTensor.Storage] { graph.storages }

    /// The elements of a list or tuple; nil if this is neither.
    public var elements: [PickleValue]? {
        graph.elements(node)?.map { PickleValue($0, in: graph) }
    }

    /// The keys and values of a dictionary, in order. For an object, its entries or, without entries, its attributes.
    /// Nil for other values.
    public var pairs: [(key: PickleValue, value: PickleValue)]? {
        graph.pairs(node)?.map { (PickleValue($0.key, in: graph), PickleValue($0.value, in: graph)) }
    }

    /// The value for a string key of a dictionary, or of an object's attribute; nil if there is none.
    public subscript(key: String) -> PickleValue? {
        graph.pairs(node)?.last { graph.name($0.key) == key }.map { PickleValue($0.value, in: graph) }
    }

    /// The class of an object, or the function that would create it, such as `pathlib.PosixPath`; nil if this is not an
    /// object.
    public var className: String? { graph.maker(node) }

    /// A description for messages: `12`, `"text"`, `a list of 3 values`, `an object of pathlib.PosixPath`.
    public var description: String {
        switch node {
        case .none: return "None"
        case .bool(let value): return value ? "True" : "False"
        case .integer(let value): return "\(value)"
        case .largeInteger: return "an integer of more than 64 bits"
        case .number(let value): return "\(value)"
        case .text, .string:
            return stringValue.map { String($0.prefix(60)).debugDescription } ?? "a string that is not Unicode"
        case .bytes, .encodedBytes: return "bytes"
        case .global(let index): return graph.strings[index]
        case .storage: return "a PyTorch storage"
        case .tensor(let index): return "a tensor of shape \(graph.tensors[index].shape)"
        case .unknown: return "a value that only the program that wrote the file can read"
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
