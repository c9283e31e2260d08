/// A file that grows at its end, over several runs of the program if need be: `NAME.partial` until it is whole.
///
/// After `synchronize` the bytes so far are on disk; whoever notes their number can go on from there after a crash.
public final class GrowingFile {
    /// Its name once it is whole.
    public let path: String
    private let temporaryPath: String
    private let descriptor: Int32

    /// - Parameter length: bytes that an earlier run left and that are to be kept; what lies beyond them is cut off.
    /// - Throws: `UserError(.inputOutput)` when it cannot be written, or is shorter than that.
    public init(path: String, length: Int) throws {
        self.path = path
        temporaryPath = path + ".partial"
        // The earlier run may have come as far as to name it, and no further.
        if length > 0, FileSystem.kind(of: temporaryPath) == nil, FileSystem.kind(of: path) == .file {
            try FileSystem.rename(path, to: temporaryPath)
        }
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot write", path, errno) }
        guard lseek(descriptor, 0, SEEK_END) >= off_t(length) else {
            throw UserError(.inputOutput, "\(temporaryPath) has fewer than the \(length) bytes that were written to it")
        }
        guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, 0, SEEK_END) == off_t(length) else {
            throw FileSystem.failure("cannot write", path, errno)
        }
    }

    deinit { close(descriptor) }

    /// - Throws: `UserError(.inputOutput)`, as when the disk is full.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        guard FileSystem.write(bytes, to: descriptor) else { throw FileSystem.failure("cannot write", path, errno) }
    }

    /// Flushes the bytes to disk.
    public func synchronize() throws {
        guard AtomicFile.flush(descriptor) else { throw FileSystem.failure("cannot write", path, errno) }
    }

    /// Flushes the bytes to disk and gives the file its name.
    public func commit() throws {
        try synchronize()
        try FileSystem.rename(temporaryPath, to: path)
        try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
    }
}
