import CArchiveShim
import Platform

/// The supported compression formats.
enum Compression: String, CaseIterable, Sendable {
    case gzip, xz, zstd, bzip2, lz4

    /// Detects the format by the first bytes of a stream. No text starts with these bytes. Returns nil for other
    /// content.
    init?(head: [UInt8]) {
        if Self.isBzip2(head) {
            self = .bzip2
        } else if let found = Self.marks.first(where: { head.starts(with: $0.mark) }) {
            self = found.compression
        } else {
            return nil
        }
    }

    private static let marks: [(mark: [UInt8], compression: Compression)] = [
        ([0x1F, 0x8B], .gzip),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], .xz),
        ([0x28, 0xB5, 0x2F, 0xFD], .zstd),
        ([0x04, 0x22, 0x4D, 0x18], .lz4),
    ]

    /// Checks for "BZh", a digit, and the signature of a block or of the end. A text can start with the letters, so
    /// they alone are not enough.
    private static func isBzip2(_ head: [UInt8]) -> Bool {
        guard head.count >= 10, head.starts(with: Array("BZh".utf8)), (0x31...0x39).contains(head[3]) else {
            return false
        }
        let (block, end): ([UInt8], [UInt8]) = (
            [0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]
        )
        return [block, end].contains(Array(head[4..<10]))
    }

    /// Returns the decompressed content of a stream.
    ///
    /// - Throws: `UserError(.other)` if the program was built without the libraries.
    func content(of stream: any ByteStream) throws -> any ByteStream {
        switch self {
        case .gzip: try GzipStream(stream)
        case .xz: try CompressedStream(stream, self, DT_XZ)
        case .zstd: try CompressedStream(stream, self, DT_ZSTD)
        case .bzip2: try CompressedStream(stream, self, DT_BZIP2)
        case .lz4: try CompressedStream(stream, self, DT_LZ4)
        }
    }

    // MARK: - Names

    private static let endings: [(ending: String, compression: Compression)] = [
        (".gz", .gzip), (".tgz", .gzip), (".xz", .xz), (".txz", .xz), (".zst", .zstd), (".bz2", .bzip2), (".lz4", .lz4),
    ]

    /// Rejects a file whose name has the extension of a compressed file, but whose first bytes are neither compressed
    /// data nor text. The header of such a file is damaged.
    ///
    /// - Throws: `UserError(.data)` for such a file.
    static func checkName(_ name: String, head: [UInt8]) throws {
        guard let named = endings.first(where: { name.hasSuffix($0.ending) }), !isText(head) else { return }
        throw UserError(
            .data,
            "\(name) is neither \(named.compression) data nor text; it is damaged or has the wrong file extension"
        )
    }

    /// Whether bytes can be the start of a UTF-8 text. The last character may be incomplete.
    private static func isText(_ head: [UInt8]) -> Bool {
        let allowed: Set<Unicode.Scalar> = ["\t", "\n", "\u{C}", "\r", "\u{1B}"]
        var isText = true
        var position = 0
        FilePath.parse(head) { scalar, bytes in
            isText = isText && (scalar.value >= 0x20 || allowed.contains(scalar))
            position += bytes.count
        } other: { _ in
            isText = isText && position + 3 >= head.count
            position += 1
        }
        return isText
    }
}

/// The content of an xz, zstd, bzip2 or lz4 stream, decompressed by libarchive, which verifies the checksums.
final class CompressedStream: ByteStream {
    let name: String
    private let compression: Compression
    private let reader: ArchiveReader
    private enum State { case closed, open, ended }
    private var state = State.closed

    fileprivate init(_ stream: any ByteStream, _ compression: Compression, _ kind: dt_archive_kind) throws {
        name = stream.name
        self.compression = compression
        reader = try ArchiveReader(stream, kind)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        do {
            // libarchive reports no member if the compressed content is empty.
            if state == .closed { state = try reader.next() ? .open : .ended }
            // libarchive does not detect the format of a truncated header, and returns its bytes unchanged.
            guard reader.compressions > 0 else {
                throw failure("the file ends within the header of its \(compression) data")
            }
            let count = state == .ended ? 0 : try reader.read(into: buffer)
            if count == 0 {
                state = .ended
                try checkEnd()
            }
            return count
        } catch let error as ArchiveError {
            throw failure(error.reason)
        }
    }

    /// Rejects bytes after the compressed data. libarchive treats the damaged header of a further bzip2 stream or lz4
    /// frame as the end. NUL bytes are allowed as padding.
    private func checkEnd() throws {
        guard reader.compressions < 2 || compression == .xz || compression == .zstd else {
            throw UserError(.data, "\(name) is compressed twice with \(compression); decompress it once")
        }
        let end = reader.usedBytes
        guard try reader.source.drain(unused: reader.source.byteCount - end) else { return }
        throw UserError(
            .data,
            """
            \(name) is damaged: its \(compression) data ends at byte \(end), and the \
            \(reader.source.byteCount - end) bytes after it are not \(compression) data
            """
        )
    }

    private func failure(_ reason: String) -> UserError {
        guard compression == .zstd, reason.contains("too much memory") else {
            return UserError(.data, "\(name) is damaged: \(reason)")
        }
        return UserError(
            .data,
            """
            \(name) was compressed with zstd --long=28 or more and needs more memory than the zstd library allows; \
            decompress it first with zstd -d --long=31 \(name), or use standard input: \
            zstd -dc --long=31 \(name) | ddp-train … --input -
            """
        )
    }
}
