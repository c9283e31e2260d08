import Platform

/// A tensor of a file of PyTorch: where its elements lie among those of a storage.
public struct TorchTensor: Equatable, Sendable {
    /// What the elements are.
    public enum ElementType: Equatable, Sendable {
        /// Floats that can be read.
        case float(FloatEncoding)
        /// Anything else, by PyTorch's name such as `int64`; such elements are not read.
        case other(String)
    }

    /// A run of elements in the archive, which tensors may share.
    public struct Storage: Equatable, Sendable {
        /// The entry `data/KEY` of the archive.
        public let key: String
        /// The type of all of them.
        public let elements: ElementType
        /// In elements.
        public let count: Int
    }

    /// Where its elements lie.
    public let storage: Storage
    /// The first element, in elements of the storage.
    public let offset: Int
    /// Elements along each dimension; empty for a scalar.
    public let shape: [Int]
    /// In elements.
    public let strides: [Int]

    /// Whether the elements lie one after the other, the last index fastest.
    var isContiguous: Bool {
        var expected = 1
        for (size, stride) in zip(shape, strides).reversed() {
            if size != 1, stride != expected { return false }
            let (product, overflows) = expected.multipliedReportingOverflow(by: size)
            if overflows { return false }
            expected = product
        }
        return true
    }
}

/// A file that `torch.save` wrote (PyTorch 1.6 or later): a zip archive of `NAME/data.pkl`, a pickle, and the storages
/// `NAME/data/KEY` of its tensors.
///
/// Nothing of it is run: the pickle may name the constructors of tensors and nothing else.
public struct TorchFile: Sendable {
    /// The path that it was opened with.
    public let path: String
    /// What was saved.
    public let value: PickleValue
    private let archive: StoredZip
    /// `NAME/`.
    private let prefix: String

    /// Descriptions of more tensors than any model has.
    private static let longestPickle = 64 << 20

    /// Whether a file begins as such a one does.
    public static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 4 && UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == StoredZip.signature
    }

    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` when it is no such file,
    ///   or names what makes no tensor.
    public init(path: String) throws {
        self.path = path
        archive = try StoredZip(path: path)
        let pickles = archive.entries.keys.filter { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }
        guard pickles.count == 1, let name = pickles.first, let bytes = archive.bytes(of: name) else {
            throw UserError(.data, "\(path) is a zip archive, but not one of torch.save: it has no data.pkl")
        }
        prefix = String(name.dropLast("data.pkl".count))
        if let order = archive.bytes(of: prefix + "byteorder"), !order.elementsEqual("little".utf8) {
            throw UserError(.data, "\(path) was written on a machine of another byte order: only little-endian is read")
        }
        guard bytes.count <= Self.longestPickle else {
            throw UserError(
                .data,
                "\(path): its \(name) has \(bytes.count) bytes, more than the \(Self.longestPickle) read"
            )
        }
        value = try PickleReader.read(Array(bytes), named: "\(path) (\(name))", constructors: TorchConstructors())
    }

    /// The bytes of a tensor of floats, valid while this file is held.
    ///
    /// - Parameter name: what an error calls the tensor.
    /// - Throws: `UserError(.data)` when its elements are no floats, do not lie one after the other, or are not all
    ///   there.
    public func bytes(
        of tensor: TorchTensor,
        named name: String
    ) throws -> (bytes: UnsafeRawBufferPointer, encoding: FloatEncoding) {
        guard case .float(let encoding) = tensor.storage.elements else {
            throw UserError(
                .data,
                "\(path): tensor \(name) is \(tensor.storage.elements.name); float32, float16 and bfloat16 can be read"
            )
        }
        guard tensor.isContiguous else {
            throw UserError(
                .data,
                "\(path): tensor \(name) of shape \(tensor.shape) has strides \(tensor.strides): save it .contiguous()"
            )
        }
        let count = Sizes.product([encoding.size] + tensor.shape)
        let entry = archive.bytes(of: "\(prefix)data/\(tensor.storage.key)")
        guard let count, let entry, tensor.offset <= entry.count / encoding.size,
            count <= entry.count - tensor.offset * encoding.size
        else {
            throw UserError(
                .data,
                """
                \(path): tensor \(name) of shape \(tensor.shape) goes beyond its \(entry?.count ?? 0) bytes, \
                \(prefix)data/\(tensor.storage.key)
                """
            )
        }
        let start = tensor.offset * encoding.size
        return (UnsafeRawBufferPointer(rebasing: entry[start..<start + count]), encoding)
    }
}

extension TorchTensor.ElementType {
    fileprivate var name: String {
        switch self {
        case .float(let encoding): "\(encoding)"
        case .other(let name): name
        }
    }
}
