import CArchiveShim
import Platform

/// An archive (tar, zip), read from front to end.
///
/// It lies in a stream, which may be a member of another archive: memory does not grow with the length of either.
final class ArchiveStream {
    /// What it is, for messages.
    let name: String
    private let reader: ArchiveReader
    private var memberCount = 0

    /// - Throws: `UserError(.other)` where the program was built without libarchive.
    init(_ stream: any ByteStream) throws {
        name = stream.name
        reader = try ArchiveReader(stream, DT_MEMBERS)
    }

    /// The next member that is a file, folders and links passed over; nil at the end. The one before it is read no more.
    ///
    /// - Throws: `UserError(.data)` when the archive is damaged; whatever its stream throws.
    func next() throws -> Member? {
        do {
            while try reader.next() {
                memberCount += 1
                guard reader.memberIsFile else { continue }
                // Its name decides how it is read.
                guard let path = reader.memberName else {
                    throw UserError(
                        .data,
                        "\(name): the name of its member \(memberCount) cannot be read: unpack it first"
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

    /// Whether all members were there: libarchive takes an archive that was cut between two members for a whole one, and
    /// passes over a member of a zip whose head is damaged.
    private func checkEnd() throws {
        _ = try reader.source.drain(unused: 0)
        let tail = reader.source.tail
        guard reader.isZip else {
            guard tail.count >= Self.blockSize, tail.suffix(Self.blockSize).allSatisfy({ $0 == 0 }) else {
                throw UserError(
                    .data,
                    """
                    \(name) is damaged: it has no end mark, so members may be missing; if it is whole, add the mark: \
                    head -c 1024 /dev/zero >> FILE.tar
                    """
                )
            }
            return
        }
        guard let listed = ZipEnd.memberCount(tail) else {
            throw UserError(.data, "\(name) is damaged: its end, a list of its members, is cut off")
        }
        guard memberCount >= listed else {
            throw UserError(.data, "\(name) is damaged: it lists \(listed) members, and \(memberCount) were found")
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

/// The record at the end of a zip.
enum ZipEnd {
    private static let size = 22

    /// The number of members that a zip lists at its end; nil where it has none.
    ///
    /// - Parameter tail: the last bytes of the zip.
    static func memberCount(_ tail: [UInt8]) -> Int? {
        guard let end = place(of: [0x50, 0x4B, 0x05, 0x06], size: size, in: tail, accepts: isLast) else { return nil }
        let count = value(tail[end + 10..<end + 12])
        // More than fit there are in a record before it.
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

    /// Only a comment, of the length that the record states, and NULs may follow.
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
