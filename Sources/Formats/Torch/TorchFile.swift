import Platform

/// A file that `torch.save` wrote with PyTorch 0.2 or later.
///
/// Since PyTorch 1.6 the file is a zip archive with a pickle, `NAME/data.pkl`, and the storages of its tensors,
/// `NAME/data/KEY`. `LegacyTorchFile` describes the older format. Reading executes nothing of the file; see
/// `PickleReader`.
public struct TorchFile: Sendable {
    /// The path that the file was opened with.
    public let path: String
    /// The saved value.
    public let value: PickleValue
    /// The size of the file in bytes.
    public var byteCount: Int { file.bytes.count }
    private let file: MappedFile
    /// The byte range of each storage in the file, by key.
    private let storages: [String: Range<Int>]

    /// Whether a file starts like a file of torch.save.
    ///
    /// - Parameter bytes: the first bytes of the file; 32 are enough.
    public static func hasMagic(_ bytes: UnsafeRawBufferPointer) -> Bool {
        StoredZip.hasMagic(bytes) || LegacyTorchFile.hasMagic(bytes)
    }

    /// Opens a file and reads its pickle.
    ///
    /// - Throws: `UserError(.inputOutput)` if the file cannot be read; `UserError(.data)` if torch.save did not write
    ///   it or it is damaged.
    public init(path: String) throws {
        self.path = path
        file = try MappedFile(path: path)
        if StoredZip.hasMagic(file.bytes) {
            (value, storages) = try Self.archive(file)
        } else {
            let legacy = try LegacyTorchFile(file)
            (value, storages) = (legacy.value, legacy.storages)
        }
    }

    private static func archive(_ file: MappedFile) throws -> (value: PickleValue, storages: [String: Range<Int>]) {
        let (path, entries) = (file.path, try StoredZip(file).entries)
        let pickles = entries.filter { $0.key == "data.pkl" || $0.key.hasSuffix("/data.pkl") }
        guard pickles.count == 1, let pickle = pickles.first else {
            throw UserError(
                .data,
                "\(path) is a zip archive, but not one of torch.save: it does not have exactly one data.pkl"
            )
        }
        let folder = pickle.key.dropLast("data.pkl".count)
        if let order = entries[folder + "byteorder"], !file.bytes[order].elementsEqual("little".utf8) {
            throw UserError(.data, "\(path) was written on a big-endian machine; only little-endian files can be read")
        }
        var storages: [String: Range<Int>] = [:]
        for (name, range) in entries where name.hasPrefix(folder + "data/") {
            storages[String(name.dropFirst(folder.count + "data/".count))] = range
        }
        return (try PickleReader.read(file, pickle.value, named: "\(path) (\(pickle.key))").value, storages)
    }

    /// Returns the bytes from a tensor's first element to its last, and their encoding. The tensor's strides locate the
    /// elements between them. The bytes are valid while this file object exists.
    ///
    /// - Parameters:
    ///   - tensor: a tensor of this file.
    ///   - name: the tensor's name in error messages.
    /// - Throws: `UserError(.data)` if the elements are not floats that can be read, or the tensor goes beyond its
    ///   storage.
    public func bytes(
        of tensor: TorchTensor,
        named name: String
    ) throws -> (bytes: UnsafeRawBufferPointer, encoding: FloatEncoding) {
        let storage = tensor.storage
        guard let encoding = storage.type.encoding else {
            throw UserError(
                .data,
                "\(path): tensor \(name) is \(storage.type.name), not float64, float32, float16 or bfloat16"
            )
        }
        let range = storages[storage.key]
        let elements = (range?.count ?? 0) / encoding.size
        guard let range, storage.start <= elements, let span = tensor.span,
            case let count = min(storage.count, elements - storage.start), tensor.offset <= count,
            span <= count - tensor.offset
        else {
            throw UserError(
                .data,
                """
                \(path): tensor \(name) of shape \(tensor.shape) goes beyond the \(range?.count ?? 0) bytes of its \
                storage \(storage.key)
                """
            )
        }
        let start = range.lowerBound + encoding.size * (storage.start + tensor.offset)
        return (UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + encoding.size * span]), encoding)
    }
}
