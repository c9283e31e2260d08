import CArchiveShim
import Platform

/// An archive (tar, zip), or a compressed file (gzip, xz, zstd, bzip2, lz4), read from front to end by libarchive.
///
/// It lies in a stream, which may be a member of another archive: memory does not grow with the length of either. libarchive
/// checks xz's and zstd's checksums; of gzip it finds what is cut off, but does not compare the checksum.
final class ArchiveStream {
    /// What it is, for messages.
    let name: String
    private let source: Source
    private let archive: OpaquePointer

    /// Whether this build can read archives.
    static var isBuiltIn: Bool { dt_archive_built_in() }

    /// What libarchive reads from: it keeps the error that a stream threw, as that cannot pass through C.
    private final class Source {
        let stream: any ByteStream
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
        var error: (any Error)?

        init(_ stream: any ByteStream) { self.stream = stream }
        deinit { buffer.deallocate() }

        func next() -> Int {
            do {
                return try stream.read(into: buffer)
            } catch {
                self.error = error
                return -1
            }
        }
    }

    /// - Throws: `UserError(.other)` where the program was built without libarchive.
    init(_ stream: any ByteStream) throws {
        guard Self.isBuiltIn else {
            throw UserError(
                .other,
                """
                \(stream.name) is compressed or an archive, which this build cannot read: install libarchive-dev \
                (Debian, Ubuntu) or libarchive (Homebrew) and build again, or unpack it first
                """
            )
        }
        name = stream.name
        source = Source(stream)
        let opened = dt_archive_open(
            { context, bytes in
                let source = Unmanaged<Source>.fromOpaque(context!).takeUnretainedValue()
                bytes!.pointee = UnsafeRawPointer(source.buffer.baseAddress)
                return source.next()
            },
            Unmanaged.passUnretained(source).toOpaque()
        )
        guard let opened else { throw UserError(.other, "there is no memory to read \(stream.name)") }
        archive = opened
    }

    deinit { dt_archive_close(archive) }

    /// Known once the first member was reached.
    var isOnlyCompressed: Bool { dt_archive_is_only_compressed(archive) }

    /// The next member that is a file, folders and links passed over; nil at the end. The one before it is read no more.
    ///
    /// - Throws: `UserError(.data)` when the archive is damaged; whatever its stream throws.
    func next() throws -> Member? {
        while true {
            switch dt_archive_next(archive) {
            case 0: return nil
            case 1:
                guard dt_archive_member_is_file(archive) || isOnlyCompressed else { continue }
                return Member(self, name: isOnlyCompressed ? name : memberName)
            default: throw failure("")
            }
        }
    }

    private var memberName: String {
        name + "/" + String(cString: dt_archive_member_name(archive))
    }

    private func failure(_ place: String) -> any Error {
        if let error = source.error { return error }
        return UserError(.data, "\(name) is damaged\(place): \(String(cString: dt_archive_error(archive)))")
    }

    final class Member: ByteStream {
        let name: String
        private let archive: ArchiveStream

        fileprivate init(_ archive: ArchiveStream, name: String) {
            self.archive = archive
            self.name = name
        }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            let count = dt_archive_read(archive.archive, buffer.baseAddress, buffer.count)
            guard count >= 0 else {
                throw archive.failure(
                    archive.isOnlyCompressed ? "" : " in its member \(name.dropFirst(archive.name.count + 1))"
                )
            }
            return count
        }
    }
}
