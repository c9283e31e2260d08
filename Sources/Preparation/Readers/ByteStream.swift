import Formats
import Platform

/// A sequence of bytes that can be read once.
protocol ByteStream: AnyObject {
    /// The name in messages: a path, or a member of an archive.
    var name: String { get }

    /// Reads at least one byte, unless the stream has ended.
    ///
    /// - Returns: The number of bytes, or 0 at the end.
    /// - Throws: `UserError` with the name of the stream.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// A file or standard input, whose bytes are counted and hashed while they are read.
final class FileStream: ByteStream {
    let name: String
    private let descriptor: Int32
    private(set) var byteCount = 0
    private var hash = RunningChecksum()

    /// Opens a file.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - name: The name in messages, or nil for the path.
    /// - Throws: `UserError(.inputOutput)` if the file does not exist, cannot be read, or is a folder.
    init(path: FilePath, name: String? = nil) throws {
        self.name = name ?? path.description
        guard try FileInfo(of: path).kind != .folder else {
            throw UserError(.inputOutput, "cannot read \(path): it is a folder")
        }
        descriptor = FileSystem.openDescriptor(path, O_RDONLY)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot open", path, errno) }
    }

    static let standardInput = "standard input"

    /// Opens standard input.
    init() {
        name = Self.standardInput
        descriptor = STDIN_FILENO
    }

    deinit {
        if descriptor != STDIN_FILENO { close(descriptor) }
    }

    /// The current size, kind and modification time of the file.
    ///
    /// - Throws: `UserError(.inputOutput)` if the system cannot read them.
    var info: FileInfo {
        get throws { try FileInfo(ofDescriptor: descriptor, FilePath(name)) }
    }

    /// The SHA-256 of the bytes read so far.
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

/// Calls the system's `read`, which the methods named `read` shadow.
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, buffer.baseAddress, buffer.count)
}

/// A stream whose first bytes can be inspected before they are read.
final class PeekedStream: ByteStream {
    let name: String
    /// The first bytes: `headSize`, or fewer if the stream is shorter.
    private(set) var head: [UInt8] = []
    private let headSize: Int
    private var position = 0
    private let rest: any ByteStream

    init(_ stream: any ByteStream, count: Int) throws {
        name = stream.name
        headSize = count
        rest = stream
        try fill()
    }

    private func fill() throws {
        let kept = head
        // The buffer is not zeroed first, because an archive may have millions of short members.
        head = try [UInt8](unsafeUninitializedCapacity: headSize) { buffer, filled in
            let room = UnsafeMutableRawBufferPointer(buffer)
            room.copyBytes(from: kept)
            filled = kept.count
            while filled < headSize {
                let got = try rest.read(into: UnsafeMutableRawBufferPointer(rebasing: room[filled...]))
                if got == 0 { break }
                filled += got
            }
        }
    }

    /// Skips bytes and refills `head` with the bytes after them.
    ///
    /// - Returns: False if the stream has fewer bytes.
    func skip(_ count: Int) throws -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
        defer { buffer.deallocate() }
        var left = count
        while left > 0 {
            let got = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(left, buffer.count)]))
            guard got > 0 else { return false }
            left -= got
        }
        head.removeFirst(position)
        position = 0
        try fill()
        return true
    }

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
