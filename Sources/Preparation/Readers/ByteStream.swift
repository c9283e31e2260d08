import Formats
import Platform

/// Bytes that are read once, from front to end.
protocol ByteStream: AnyObject {
    /// What it is, for messages: a path, or a member of an archive.
    var name: String { get }

    /// Reads some bytes, at least one; 0 at the end.
    ///
    /// - Throws: `UserError` naming the stream.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// A file or standard input, counted and hashed as it is read.
final class FileStream: ByteStream {
    let name: String
    private let descriptor: Int32
    private(set) var byteCount = 0
    private var hash = RunningChecksum()

    /// - Throws: `UserError(.inputOutput)` when the path is missing, unreadable, or a folder.
    ///
    /// - Parameter name: what it is, for messages; nil for the path.
    init(path: String, name: String? = nil) throws {
        self.name = name ?? path
        guard FileSystem.kind(of: path) != .folder else {
            throw UserError(.inputOutput, "cannot read \(path): it is a folder")
        }
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot open", path, errno) }
    }

    static let standardInput = "standard input"

    /// Standard input.
    init() {
        name = Self.standardInput
        descriptor = STDIN_FILENO
    }

    deinit {
        if descriptor != STDIN_FILENO { close(descriptor) }
    }

    /// SHA-256 of the bytes that were read.
    var sha256: String { hash.text }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = systemRead(descriptor, buffer)
            if count < 0 {
                if errno == EINTR { continue }
                throw FileSystem.failure("cannot read", name, errno)
            }
            byteCount += count
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            return count
        }
    }
}

/// The system's `read`, which the methods of the same name hide.
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, buffer.baseAddress, buffer.count)
}

/// A stream whose first bytes can be looked at before they are read.
final class PeekedStream: ByteStream {
    let name: String
    /// Up to as many bytes as were asked for.
    let head: [UInt8]
    private var position = 0
    private let rest: any ByteStream

    init(_ stream: any ByteStream, count: Int) throws {
        // Not filled with zeros first: an archive may have millions of short members.
        head = try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let room = UnsafeMutableRawBufferPointer(buffer)
            while filled < count {
                let got = try stream.read(into: UnsafeMutableRawBufferPointer(rebasing: room[filled...]))
                if got == 0 { break }
                filled += got
            }
        }
        name = stream.name
        rest = stream
    }

    /// Passes over some bytes of the head.
    func skip(_ count: Int) { position += count }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard position < head.count else { return try rest.read(into: buffer) }
        let count = min(buffer.count, head.count - position)
        head.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[position..<position + count]))
        }
        position += count
        return count
    }
}
