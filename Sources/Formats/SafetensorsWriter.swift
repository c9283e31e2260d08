import Platform

/// Writes safetensors files. `SafetensorsFile` describes the format.
public enum SafetensorsWriter {
    /// A tensor to write. Its values are row-major and must stay valid during the call.
    public typealias Tensor = (name: String, shape: [Int], values: UnsafeBufferPointer<Float>)

    /// Writes F32 tensors directly from memory, in the given order. The file appears under its name once it is
    /// complete.
    ///
    /// - Parameters:
    ///   - path: the file to write; an existing file is replaced.
    ///   - metadata: the entries of `__metadata__`, written in the order of their names. Readers of PyTorch files
    ///     expect `"format": "pt"`.
    ///   - tensors: the tensors. Their names must be distinct, and `values` must have as many elements as `shape`.
    ///   - progress: called after each piece, and when everything is on disk.
    /// - Returns: the SHA-256 of the file.
    /// - Throws: `UserError(.inputOutput)` if the file cannot be written.
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

    /// Small enough that a piece is still in a core's cache when it is hashed.
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
                "tensor \(tensor.name) of shape \(tensor.shape) needs \(count) values, but has \(tensor.values.count)"
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
        precondition(Set(members.map(\.name)).count == members.count, "tensor names must be distinct")
        let text = JSONValue.object(members).text()
        // Pad the header so that the data starts at a multiple of 8, which readers that map the file need for
        // alignment.
        return text + String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
    }
}
