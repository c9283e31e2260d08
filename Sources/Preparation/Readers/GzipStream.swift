import CArchiveShim
import Platform

/// The content of a gzip stream, decompressed by zlib, which verifies the CRC and the length of each member.
///
/// A stream can have several members, such as those of pigz, bgzip and `cat a.gz b.gz`. Members can be empty. NUL bytes
/// between and after members are allowed as padding.
final class GzipStream: ByteStream {
    let name: String
    private let source: any ByteStream
    private let gzip: OpaquePointer
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
    /// The range of the buffer that is not decompressed yet.
    private var rest = 0..<0
    /// The number of bytes read from the source.
    private var byteCount = 0
    /// The offset in the source where the current member starts; nil between members.
    private var member: Int? = 0

    /// - Throws: `UserError(.other)` if the program was built without the libraries.
    init(_ stream: any ByteStream) throws {
        try ArchiveReader.checkBuiltIn(stream.name)
        guard let opened = dt_gzip_open() else { throw UserError(.other, "not enough memory to read \(stream.name)") }
        gzip = opened
        source = stream
        name = stream.name
    }

    deinit {
        dt_gzip_close(gzip)
        buffer.deallocate()
    }

    func read(into output: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            if let member {
                let produced = try inflate(into: output, member)
                if produced > 0 { return produced }
                guard self.member != nil, rest.isEmpty else { continue }
                guard try refill() else { throw damaged("the file ends within its compressed data", member) }
            } else {
                guard try rest.isEmpty ? refill() : true else { return 0 }
                try beginMember()
            }
        }
    }

    /// Decompresses the next bytes of the current member.
    ///
    /// - Returns: The number of bytes written to `output`.
    private func inflate(into output: UnsafeMutableRawBufferPointer, _ member: Int) throws -> Int {
        var (unused, room) = (rest.count, output.count)
        let result = dt_gzip_inflate(gzip, buffer.baseAddress! + rest.lowerBound, &unused, output.baseAddress, &room)
        rest = rest.upperBound - unused..<rest.upperBound
        guard result >= 0 else { throw damaged(String(cString: dt_gzip_error(gzip)), member) }
        if result == 1 { self.member = nil }
        return output.count - room
    }

    private func refill() throws -> Bool {
        let count = try source.read(into: buffer)
        byteCount += count
        rest = 0..<count
        return count > 0
    }

    /// Skips NUL bytes and starts the member after them.
    private func beginMember() throws {
        guard let start = rest.first(where: { buffer[$0] != 0 }) else {
            rest = 0..<0
            return
        }
        rest = start..<rest.upperBound
        let place = byteCount - rest.count
        guard buffer[start] == 0x1F else {
            while try refill() {}
            throw UserError(
                .data,
                """
                \(name) is damaged: the \(byteCount - place) bytes from byte \(place) on are not gzip data; if they are \
                not needed, remove them: head -c \(place) FILE.gz > WHOLE.gz
                """
            )
        }
        dt_gzip_restart(gzip)
        member = place
    }

    private func damaged(_ reason: String, _ member: Int) -> UserError {
        let place = member == 0 ? "" : " in the gzip member that starts at byte \(member)"
        return UserError(.data, "\(name) is damaged\(place): \(reason)")
    }
}
