import Platform

/// What a stream holds once it is decompressed: a text, lines of JSON, or an archive.
enum Unpacked {
    case text(any ByteStream)
    case jsonLines(any ByteStream)
    case archive(ArchiveStream)

    /// More levels of compression, or of archives within archives, than any honest corpus has.
    static let deepest = 8

    /// - Parameter areJSONLines: whether a text counts as JSONL whatever its name.
    /// - Throws: `UserError` for what is damaged from its first bytes on, and what is no text.
    init(_ packed: any ByteStream, areJSONLines: Bool) throws {
        var stream = try PeekedStream(packed, count: ContentKind.headSize)
        for _ in 0..<Self.deepest {
            try SkippableFrame.skip(in: stream)
            switch try ContentKind(head: stream.head, name: stream.name, areJSONLines: areJSONLines) {
            case .text: self = .text(stream)
            case .jsonLines: self = .jsonLines(stream)
            case .archive: self = .archive(try ArchiveStream(stream, name: packed.name))
            case .compressed(let compression):
                stream = try PeekedStream(compression.content(of: stream), count: ContentKind.headSize)
                continue
            }
            return
        }
        throw UserError(.data, "\(packed.name) is compressed \(Self.deepest) times over: decompress it first")
    }
}

/// A frame that zstd and lz4 files may have anywhere, which holds no content.
enum SkippableFrame {
    private static let headSize = 8

    /// Passes over the frames that a stream begins with: what follows them says whether it is zstd or lz4.
    ///
    /// - Throws: `UserError(.data)` where neither follows.
    static func skip(in stream: PeekedStream) throws {
        guard size(stream.head) != nil else { return }
        while let size = size(stream.head) {
            guard try stream.skip(size) else {
                throw UserError(.data, "\(stream.name) is damaged: the file ends within a skippable frame")
            }
        }
        guard [.zstd, .lz4].contains(Compression(head: stream.head)) else {
            throw UserError(
                .data,
                "\(stream.name) is damaged: it begins with a skippable frame, and neither zstd nor lz4 data follows"
            )
        }
    }

    /// The length of the frame at the start of some bytes, its head included; nil where there is none.
    private static func size(_ head: [UInt8]) -> Int? {
        guard head.count >= headSize, head[0] & 0xF0 == 0x50, head[1...3].elementsEqual([0x2A, 0x4D, 0x18]) else {
            return nil
        }
        return headSize + head[4..<headSize].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}
