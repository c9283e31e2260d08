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
    init(path: FilePath, name: String? = nil) throws {
        self.name = name ?? path.description
        guard try FileInfo(of: path).kind != .folder else {
            throw UserError(.inputOutput, "cannot read \(path): it is a folder")
        }
        descriptor = FileSystem.openDescriptor(path, O_RDONLY)
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

    /// What the system says about the file now.
    ///
    /// - Throws: `UserError(.inputOutput)`.
    var info: FileInfo {
        get throws { try FileInfo(ofDescriptor: descriptor, FilePath(name)) }
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
        // Not filled with zeros first: an archive may have millions of short members.
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

    /// Passes over the first bytes, and looks at those after them.
    ///
    /// - Returns: false if there are fewer.
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
