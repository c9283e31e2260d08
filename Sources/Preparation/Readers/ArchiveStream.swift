import CArchiveShim
import Platform

/// Reads a tar or zip archive sequentially from a stream, which can be a member of another archive. The memory does not
/// depend on the length of either.
final class ArchiveStream {
    /// The name of the archive in messages.
    let name: String
    private let reader: ArchiveReader
    private var memberCount = 0

    /// - Throws: `UserError(.other)` if the program was built without libarchive.
    init(_ stream: any ByteStream) throws {
        name = stream.name
        reader = try ArchiveReader(stream, DT_MEMBERS)
    }

    /// Returns the next member that is a file, or nil at the end. Skips folders and links. The previous member can no
    /// longer be read.
    ///
    /// - Throws: `UserError(.data)` if the archive is damaged, or the error of its stream.
    func next() throws -> Member? {
        do {
            while try reader.next() {
                memberCount += 1
                guard reader.memberIsFile else { continue }
                // The name is required, because the file extension decides how the member is read.
                guard let path = reader.memberName else {
                    throw UserError(
                        .data,
                        "\(name): cannot read the name of member \(memberCount); unpack the archive first"
                    )
                }
                return Member(self, path: path)
            }
        } catch let error as ArchiveError {
            throw damaged(error)
        }
        try checkEnd()
        return nil
    }

    private func damaged(_ error: ArchiveError) -> UserError {
        UserError(.data, "\(name) is damaged\(error.place): \(error.reason)")
    }

    /// Checks that no member is missing. libarchive accepts an archive that was truncated between two members, and
    /// skips a member of a zip whose header is damaged.
    private func checkEnd() throws {
        _ = try reader.source.drain(unused: 0)
        let tail = reader.source.tail
        guard reader.isZip else {
            guard tail.count >= Self.blockSize, tail.suffix(Self.blockSize).allSatisfy({ $0 == 0 }) else {
                throw UserError(
                    .data,
                    """
                    \(name) is damaged: it has no end-of-archive marker, so members may be missing; if it is complete, add \
                    the marker: head -c 1024 /dev/zero >> FILE.tar
                    """
                )
            }
            return
        }
        guard let listed = ZipEnd.memberCount(tail) else {
            throw UserError(.data, "\(name) is damaged: the list of members at its end is cut off")
        }
        guard memberCount >= listed else {
            throw UserError(.data, "\(name) is damaged: it lists \(listed) members, but only \(memberCount) were found")
        }
    }

    private static let blockSize = 512

    final class Member: ByteStream {
        let name: String
        private let path: FilePath
        private let archive: ArchiveStream

        fileprivate init(_ archive: ArchiveStream, path: FilePath) {
            self.archive = archive
            self.path = path
            name = "\(archive.name)/\(path)"
        }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            do {
                return try archive.reader.read(into: buffer, place: " in its member \(path)")
            } catch let error as ArchiveError {
                throw archive.damaged(error)
            }
        }
    }
}

/// Parses the end record of a zip.
enum ZipEnd {
    private static let size = 22

    /// Returns the number of members in the end record of a zip, or nil if there is no end record.
    ///
    /// - Parameter tail: The last bytes of the zip.
    static func memberCount(_ tail: [UInt8]) -> Int? {
        guard let end = place(of: [0x50, 0x4B, 0x05, 0x06], size: size, in: tail, accepts: isLast) else { return nil }
        let count = value(tail[end + 10..<end + 12])
        // 0xFFFF means that the number is in the Zip64 end record, which precedes this one.
        guard count == 0xFFFF,
            let large = place(
                of: [0x50, 0x4B, 0x06, 0x06],
                size: 56,
                in: Array(tail[..<end]),
                accepts: { _, _ in true }
            )
        else { return count }
        return value(tail[large + 32..<large + 40])
    }

    /// Whether the record at `place` is the end record: only a comment of the stated length, and NULs, may follow it.
    private static func isLast(_ tail: [UInt8], _ place: Int) -> Bool {
        let comment = value(tail[place + 20..<place + 22])
        return place + size + comment <= tail.count && tail[(place + size + comment)...].allSatisfy { $0 == 0 }
    }

    private static func place(
        of mark: [UInt8],
        size: Int,
        in bytes: [UInt8],
        accepts: ([UInt8], Int) -> Bool
    ) -> Int? {
        guard bytes.count >= size else { return nil }
        return (0...bytes.count - size).last { place in
            bytes[place] == mark[0] && bytes[place..<place + 4].elementsEqual(mark) && accepts(bytes, place)
        }
    }

    private static func value(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.reversed().reduce(0) { ($0 & (Int.max >> 9)) << 8 | Int($1) }
    }
}
