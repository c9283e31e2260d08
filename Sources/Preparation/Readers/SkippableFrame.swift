import Platform

/// A skippable frame of the zstd and lz4 formats, which has no content.
enum SkippableFrame {
    private static let headSize = 8

    /// Skips the skippable frames at the start of a stream. Only the data after them shows whether the stream is zstd
    /// or lz4.
    ///
    /// - Throws: `UserError(.data)` if the data after them is neither zstd nor lz4.
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
                "\(stream.name) is damaged: it starts with a skippable frame, but no zstd or lz4 data follows"
            )
        }
    }

    /// Returns the length in bytes of the skippable frame at the start of `head`, including its header, or nil if there
    /// is none.
    private static func size(_ head: [UInt8]) -> Int? {
        guard head.count >= headSize, head[0] & 0xF0 == 0x50, head[1...3].elementsEqual([0x2A, 0x4D, 0x18]) else {
            return nil
        }
        return headSize + head[4..<headSize].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}
