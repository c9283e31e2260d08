/// A description of a tensor in a PyTorch file: the position of its elements in a storage.
public struct TorchTensor: Equatable, Sendable {
    /// A contiguous run of elements in the file, which several tensors may share.
    public struct Storage: Equatable, Sendable {
        /// The storage's name in the file.
        public let key: String
        /// The type of the elements.
        public internal(set) var type: TorchElementType
        /// The index of the first element among those stored under `key`.
        public internal(set) var start: Int
        /// The number of elements.
        public internal(set) var count: Int
    }

    /// The storage that holds the tensor's elements.
    public let storage: Storage
    /// The index of the tensor's first element in the storage.
    public let offset: Int
    /// The size of each dimension; empty for a scalar.
    public let shape: [Int]
    /// The distance between neighbors along each dimension, in elements of the storage.
    public let strides: [Int]

    /// The number of storage elements from the tensor's first element to its last; nil if the number overflows.
    var span: Int? {
        if shape.contains(0) { return 0 }
        var last = 0
        for (size, stride) in zip(shape, strides) {
            let (distance, overflows) = (size - 1).multipliedReportingOverflow(by: stride)
            let (next, sumOverflows) = last.addingReportingOverflow(distance)
            if overflows || sumOverflows { return nil }
            last = next
        }
        return last == Int.max ? nil : last + 1
    }
}

/// The element type of a storage.
public struct TorchElementType: Equatable, Sendable {
    /// The type's name in PyTorch, such as `int64`.
    public let name: String
    /// The size of an element in bytes.
    public let size: Int
    /// The encoding, if the elements are floats that can be read; otherwise nil.
    public let encoding: FloatEncoding?

    private init(_ name: String, _ size: Int, _ encoding: FloatEncoding? = nil) {
        (self.name, self.size, self.encoding) = (name, size, encoding)
    }

    /// Bytes, whose type a tensor says.
    static let untyped = TorchElementType("untyped", 1)

    /// The type of a storage by its class, such as `torch.FloatStorage`.
    init?(storageClass name: String) {
        let path = name.split(separator: ".")
        guard path.first == "torch", let last = path.last, let type = Self.byStorageClass[String(last)] else {
            return nil
        }
        self = type
    }

    private static let byStorageClass: [String: TorchElementType] = [
        "FloatStorage": .init("float32", 4, .float32), "DoubleStorage": .init("float64", 8, .float64),
        "HalfStorage": .init("float16", 2, .float16), "BFloat16Storage": .init("bfloat16", 2, .bfloat16),
        "LongStorage": .init("int64", 8), "IntStorage": .init("int32", 4), "ShortStorage": .init("int16", 2),
        "CharStorage": .init("int8", 1), "ByteStorage": .init("uint8", 1), "BoolStorage": .init("bool", 1),
        "ComplexFloatStorage": .init("complex64", 8), "ComplexDoubleStorage": .init("complex128", 16),
        "QInt8Storage": .init("qint8", 1), "QUInt8Storage": .init("quint8", 1), "QInt32Storage": .init("qint32", 4),
        "QUInt4x2Storage": .init("quint4x2", 1), "QUInt2x4Storage": .init("quint2x4", 1), "UntypedStorage": .untyped,
    ]

    /// Finds a type by the name of its Python object, such as `torch.float8_e5m2`; nil if its size is unknown.
    init?(dtype name: String) {
        guard name.hasPrefix("torch.") else { return nil }
        let name = String(name.dropFirst("torch.".count))
        if let type = Self.byStorageClass.values.first(where: { $0.name == name }) {
            self = type
        } else if name.hasPrefix("float8_") {
            self.init(name, 1)
        } else if let size = ["uint16": 2, "uint32": 4, "uint64": 8, "complex32": 4][name] {
            self.init(name, size)
        } else {
            return nil
        }
    }
}
