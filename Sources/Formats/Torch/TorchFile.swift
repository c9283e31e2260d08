import Platform

/// A file that `torch.save` wrote, of any version since 0.2.
///
/// Since PyTorch 1.6 that is a zip archive of `NAME/data.pkl`, a pickle, and the storages `NAME/data/KEY` of its
/// tensors; before, pickles and storages one after the other (see `LegacyTorchFile`). Nothing of it is run: see
/// `PickleReader`.
public struct TorchFile: Sendable {
    /// The path that it was opened with.
    public let path: String
    /// What was saved.
    public let value: PickleValue
    /// Bytes of the whole file.
    public var byteCount: Int { file.bytes.count }
    private let file: MappedFile
    /// Where each storage lies in the file.
    private let storages: [String: Range<Int>]

    /// Whether a file begins as such a one does.
    ///
    /// - Parameter bytes: the first of the file; 32 are enough.
    public static func hasMagic(_ bytes: UnsafeRawBufferPointer) -> Bool {
        StoredZip.hasMagic(bytes) || LegacyTorchFile.hasMagic(bytes)
    }

    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` when it is no such file.
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
            throw UserError(.data, "\(path) is a zip archive, but not one of torch.save: it has no data.pkl")
        }
        let folder = pickle.key.dropLast("data.pkl".count)
        if let order = entries[folder + "byteorder"], !file.bytes[order].elementsEqual("little".utf8) {
            throw UserError(.data, "\(path) was written on a machine of another byte order: only little-endian is read")
        }
        var storages: [String: Range<Int>] = [:]
        for (name, range) in entries where name.hasPrefix(folder + "data/") {
            storages[String(name.dropFirst(folder.count + "data/".count))] = range
        }
        return (try PickleReader.read(file, pickle.value, named: "\(path) (\(pickle.key))").value, storages)
    }

    /// The bytes from the first element of a tensor to its last, valid while this file is held. Its strides say where
    /// the elements between them are.
    ///
    /// - Parameter name: what an error calls the tensor.
    /// - Throws: `UserError(.data)` when its elements are no floats, or are not all there.
    public func bytes(
        of tensor: TorchTensor,
        named name: String
    ) throws -> (bytes: UnsafeRawBufferPointer, encoding: FloatEncoding) {
        let storage = tensor.storage
        guard let encoding = storage.type.encoding else {
            throw UserError(
                .data,
                "\(path): tensor \(name) is \(storage.type.name); float64, float32, float16 and bfloat16 can be read"
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
