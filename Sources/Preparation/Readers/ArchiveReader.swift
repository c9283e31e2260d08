import CArchiveShim
import Platform

/// libarchive, reading a stream from front to end.
final class ArchiveReader {
    /// Whether this build can read archives and compressed files.
    static var isBuiltIn: Bool { dt_archive_built_in() }

    let source: ArchiveSource
    private let archive: OpaquePointer

    /// - Throws: `UserError(.other)` where the program was built without libarchive.
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
        guard let opened else { throw UserError(.other, "there is no memory to read \(stream.name)") }
        archive = opened
    }

    deinit { dt_archive_close(archive) }

    /// - Throws: `UserError(.other)` where the program was built without the libraries.
    static func checkBuiltIn(_ name: String) throws {
        guard !isBuiltIn else { return }
        throw UserError(
            .other,
            """
            \(name) is compressed or an archive, which this build cannot read: install libarchive-dev and zlib1g-dev \
            (Debian, Ubuntu) or libarchive (Homebrew) and build again, or unpack it first
            """
        )
    }

    /// Goes to the next member.
    ///
    /// - Returns: false at the end.
    /// - Throws: `UserError(.data)` when the archive is damaged; whatever its stream throws.
    func next() throws -> Bool {
        let result = dt_archive_next(archive)
        guard result >= 0 else { throw failure() }
        return result > 0
    }

    /// Reads from the member; 0 at its end.
    ///
    /// - Parameter place: of the member, for the message.
    func read(into buffer: UnsafeMutableRawBufferPointer, place: String = "") throws -> Int {
        let count = dt_archive_read(archive, buffer.baseAddress, buffer.count)
        guard count >= 0 else { throw failure(place) }
        return count
    }

    /// The member's path; nil where it cannot be had.
    var memberName: FilePath? { dt_archive_member_name(archive).map { FilePath(cString: $0) } }
    var memberIsFile: Bool { dt_archive_member_is_file(archive) }
    var isZip: Bool { dt_archive_is_zip(archive) }
    var compressions: Int { Int(dt_archive_compressions(archive)) }
    /// Bytes of the stream that were used.
    var usedBytes: Int { Int(dt_archive_used(archive)) }

    private func failure(_ place: String = "") -> any Error {
        if let error = source.error { return error }
        return ArchiveError(place: place, reason: String(cString: dt_archive_error(archive)))
    }
}

/// What libarchive says of a damaged archive or compressed stream.
struct ArchiveError: Error {
    var place: String
    var reason: String
}

/// What libarchive reads from: it keeps the error that a stream threw, as that cannot pass through C, and the last bytes.
final class ArchiveSource {
    /// Enough for the end of a zip with the longest comment.
    private static let tailSize = 1 << 17

    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
    private let stream: any ByteStream
    private(set) var error: (any Error)?
    /// Bytes that were read.
    private(set) var byteCount = 0
    /// The last of them, at least `tailSize` if there are so many.
    private(set) var tail: [UInt8] = []

    init(_ stream: any ByteStream) { self.stream = stream }
    deinit { buffer.deallocate() }

    /// Reads the next bytes into the buffer.
    ///
    /// - Returns: their number; 0 at the end, -1 after an error.
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

    /// Reads what is left.
    ///
    /// - Returns: whether any of it, or of the last `unused` bytes before it, is not NUL.
    /// - Throws: whatever the stream throws.
    func drain(unused: Int) throws -> Bool {
        var hasContent = tail.suffix(unused).contains { $0 != 0 }
        while case let count = next(), count != 0 {
            if let error { throw error }
            hasContent = hasContent || buffer[..<count].contains { $0 != 0 }
        }
        return hasContent
    }
}
