import Platform

/// Writes safetensors files (the format: `SafetensorsFile`).
public enum SafetensorsWriter {
    /// A tensor to write: its values are row-major and must be valid during the call.
    public typealias Tensor = (name: String, shape: [Int], values: UnsafeBufferPointer<Float>)

    /// Writes F32 tensors, in the order given, straight from memory to a file that appears when it is whole.
    ///
    /// - Parameters:
    ///   - metadata: written under `__metadata__`, sorted by name; readers of PyTorch files expect `"format": "pt"`.
    ///   - tensors: names are distinct, and `values` has as many elements as `shape` says.
    ///   - progress: called after each piece, and when all is on disk.
    /// - Returns: the SHA-256 of the file.
    /// - Throws: `UserError(.inputOutput)`.
    @discardableResult
    public static func write(
        path: String,
        metadata: [String: String] = [:],
        tensors: [Tensor],
        progress: () -> Void = {}
    ) throws -> String {
        let file = try AtomicFile(path: path)
        var checksum = RunningChecksum()
        func append(_ bytes: UnsafeRawBufferPointer) throws {
            try file.append(bytes)
            checksum.update(bytes)
        }
        let header = header(metadata: metadata, tensors: tensors)
        try withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { try append($0) }
        try Array(header.utf8).withUnsafeBytes { try append($0) }
        for tensor in tensors {
            var rest = UnsafeRawBufferPointer(tensor.values)
            while !rest.isEmpty {
                let piece = rest.prefix(pieceBytes)
                try append(UnsafeRawBufferPointer(rebasing: piece))
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
                progress()
            }
        }
        try file.commit()
        progress()
        return checksum.text
    }

    /// Small enough to be in a core's cache still when it is hashed.
    private static let pieceBytes = 1 << 18

    private static func header(metadata: [String: String], tensors: [Tensor]) -> String {
        var members: [JSONValue.Member] = []
        if !metadata.isEmpty {
            let sorted = metadata.sorted { $0.key < $1.key }
            members.append(.init("__metadata__", .object(sorted.map { .init($0.key, .string($0.value)) })))
        }
        var begin = 0
        for tensor in tensors {
            let count = tensor.shape.reduce(1, *)
            precondition(
                count == tensor.values.count,
                "tensor \(tensor.name) of shape \(tensor.shape) with \(tensor.values.count) values"
            )
            let end = begin + 4 * count
            members.append(
                .init(
                    tensor.name,
                    .object([
                        .init("dtype", .string("F32")),
                        .init("shape", .array(tensor.shape.map { .integer($0) })),
                        .init("data_offsets", .array([.integer(begin), .integer(end)])),
                    ])
                )
            )
            begin = end
        }
        precondition(Set(members.map(\.name)).count == members.count, "two tensors with one name")
        let text = JSONValue.object(members).text()
        // Padding the header lets the data start at a multiple of 8, as readers that map it like.
        return text + String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
    }
}
