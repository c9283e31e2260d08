/// A tensor of a file of PyTorch: where its elements lie among those of a storage.
public struct TorchTensor: Equatable, Sendable {
    /// A run of elements in the file, which tensors may share.
    public struct Storage: Equatable, Sendable {
        /// Its name in the file.
        public let key: String
        /// What its elements are.
        public internal(set) var type: TorchElementType
        /// The first element, in those that the file has under this name.
        public internal(set) var start: Int
        /// How many elements there are.
        public internal(set) var count: Int
    }

    /// Where its elements lie.
    public let storage: Storage
    /// The first element, in elements of the storage.
    public let offset: Int
    /// Elements along each dimension; empty for a scalar.
    public let shape: [Int]
    /// How far apart neighbors along each dimension lie, in elements of the storage.
    public let strides: [Int]

    /// How many elements of the storage lie from the first to the last of the tensor, or nil if more than there can be.
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

/// What the elements of a storage are.
public struct TorchElementType: Equatable, Sendable {
    /// PyTorch's name, such as `int64`.
    public let name: String
    /// Bytes of an element.
    public let size: Int
    /// How floats are stored that can be read; nil for anything else.
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

    /// A type by its name as an object of Python, such as `torch.float8_e5m2`; nil for one whose size is not known.
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
