import CArchiveShim
import Platform

/// Reads the members of an archive, or the content of a compressed stream, sequentially with libarchive.
final class ArchiveReader {
    /// Whether this build can read archives and compressed files.
    static var isBuiltIn: Bool { dt_archive_built_in() }

    let source: ArchiveSource
    private let archive: OpaquePointer

    /// - Throws: `UserError(.other)` if the program was built without libarchive.
    init(_ stream: any ByteStream, _ kind: dt_archive_kind) throws {
        try Self.checkBuiltIn(stream.name)
        source = ArchiveSource(stream)
        let opened = dt_archive_open(
            kind,
            { context, bytes in
                let source = Unmanaged<ArchiveSource>.fromOpaque(context!).takeUnretainedValue()
                bytes!.pointee = UnsafeRawPointer(source.buffer.baseAddress)
                return source.next()
            },
            Unmanaged.passUnretained(source).toOpaque()
        )
        guard let opened else { throw UserError(.other, "not enough memory to read \(stream.name)") }
        archive = opened
    }

    deinit { dt_archive_close(archive) }

    /// - Throws: `UserError(.other)` if the program was built without the libraries.
    static func checkBuiltIn(_ name: String) throws {
        guard !isBuiltIn else { return }
        throw UserError(
            .other,
            """
            \(name) is compressed or an archive, which this build cannot read; unpack it first, or install libarchive-dev \
            and zlib1g-dev (Debian, Ubuntu) or libarchive (Homebrew) and build again
            """
        )
    }

    /// Moves to the next member.
    ///
    /// - Returns: Whether there is another member.
    /// - Throws: `ArchiveError` if the archive is damaged, or the error of its stream.
    func next() throws -> Bool {
        let result = dt_archive_next(archive)
        guard result >= 0 else { throw failure() }
        return result > 0
    }

    /// Reads from the current member.
    ///
    /// - Parameters:
    ///   - buffer: The memory to fill.
    ///   - place: The text that names the member in error messages.
    /// - Returns: The number of bytes, or 0 at the end of the member.
    /// - Throws: `ArchiveError` if the archive is damaged, or the error of its stream.
    func read(into buffer: UnsafeMutableRawBufferPointer, place: String = "") throws -> Int {
        let count = dt_archive_read(archive, buffer.baseAddress, buffer.count)
        guard count >= 0 else { throw failure(place) }
        return count
    }

    /// The path of the current member, or nil if libarchive cannot decode it.
    var memberName: FilePath? { dt_archive_member_name(archive).map { FilePath(cString: $0) } }
    var memberIsFile: Bool { dt_archive_member_is_file(archive) }
    var isZip: Bool { dt_archive_is_zip(archive) }
    var compressions: Int { Int(dt_archive_compressions(archive)) }
    /// The number of bytes of the stream that libarchive consumed.
    var usedBytes: Int { Int(dt_archive_used(archive)) }

    private func failure(_ place: String = "") -> any Error {
        if let error = source.error { return error }
        return ArchiveError(place: place, reason: String(cString: dt_archive_error(archive)))
    }
}

/// libarchive's error for a damaged archive or compressed stream.
struct ArchiveError: Error {
    var place: String
    var reason: String
}

/// Passes the bytes of a stream to libarchive. Keeps the error of the stream, which cannot be thrown through C, and the
/// last bytes.
final class ArchiveSource {
    /// In bytes. Enough for the end record of a zip with the longest possible comment, 65,535 bytes.
    private static let tailSize = 1 << 17

    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
    private let stream: any ByteStream
    private(set) var error: (any Error)?
    /// The number of bytes read so far.
    private(set) var byteCount = 0
    /// The last bytes that were read: at least `tailSize`, or all if there are fewer.
    private(set) var tail: [UInt8] = []

    init(_ stream: any ByteStream) { self.stream = stream }
    deinit { buffer.deallocate() }

    /// Reads the next bytes into the buffer.
    ///
    /// - Returns: The number of bytes, 0 at the end, or -1 after an error.
    func next() -> Int {
        do {
            let count = try stream.read(into: buffer)
            byteCount += count
            tail.append(contentsOf: buffer[..<count])
            if tail.count > 2 * Self.tailSize { tail.removeFirst(tail.count - Self.tailSize) }
            return count
        } catch {
            self.error = error
            return -1
        }
    }

    /// Reads the rest of the stream.
    ///
    /// - Parameter unused: The number of bytes that were read but not consumed.
    /// - Returns: Whether the rest, or the unused bytes, have a byte that is not NUL.
    /// - Throws: The error of the stream.
    func drain(unused: Int) throws -> Bool {
        var hasContent = tail.suffix(unused).contains { $0 != 0 }
        while case let count = next(), count != 0 {
            if let error { throw error }
            hasContent = hasContent || buffer[..<count].contains { $0 != 0 }
        }
        return hasContent
    }
}
