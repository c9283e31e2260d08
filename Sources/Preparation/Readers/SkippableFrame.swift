import Platform

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
