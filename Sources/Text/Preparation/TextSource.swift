import Formats

/// The text that a data set is made of, read in pieces as often as needed; memory does not grow with its length.
enum TextSource {
    /// Files one after the other, with nothing between them.
    case files([MappedFile])
    case demo(seed: UInt64, characters: Int)

    private static let pieceSize = 1 << 20

    /// - Throws: `UserError(.inputOutput)` when a file cannot be read, `UserError(.data)` when one is empty.
    init(paths: [String]) throws {
        self = .files(
            try paths.map { path in
                let file = try MappedFile(path: path)
                guard !file.bytes.isEmpty else {
                    throw UserError(.data, "\(path) is empty: there is no text to prepare")
                }
                return file
            }
        )
    }

    var byteCount: Int {
        switch self {
        case .files(let files): files.reduce(0) { $0 + $1.bytes.count }
        case .demo(_, let characters): characters
        }
    }

    /// Passes on the text in order, in pieces that end between scalars where the text is UTF-8.
    func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        switch self {
        case .demo(let seed, let characters):
            try DemoCorpus.generate(seed: seed, characters: characters, body: body)
        case .files(let files):
            for file in files {
                var start = 0
                while start < file.bytes.count {
                    var end = min(start + Self.pieceSize, file.bytes.count)
                    // At most three bytes continue a scalar.
                    for _ in 0..<3 where end < file.bytes.count && file.bytes[end] & 0xC0 == 0x80 { end -= 1 }
                    try body(UnsafeRawBufferPointer(rebasing: file.bytes[start..<end]))
                    start = end
                }
            }
        }
    }

    var description: [DatasetDescription.Source] {
        switch self {
        case .demo: []
        case .files(let files):
            files.map {
                .init(
                    name: FileSystem.lastComponent(of: $0.path),
                    bytes: $0.bytes.count,
                    sha256: Checksum.sha256(of: $0.bytes)
                )
            }
        }
    }
}
