/// A file that is written at its end, possibly in several runs of the program. Its name is `NAME.partial` until it is
/// complete.
///
/// After `synchronize` the bytes so far are on disk. A caller that records their number can continue from there after a
/// crash.
public final class GrowingFile {
    /// The file's path after `commit`.
    public let path: String
    private let temporaryPath: String
    private let descriptor: Int32

    /// Opens the file for writing after its first `length` bytes.
    ///
    /// - Parameters:
    ///   - path: the file's path after `commit`.
    ///   - length: the number of bytes of earlier runs to keep; the rest is removed.
    /// - Throws: `UserError(.inputOutput)` if the file cannot be written, or is shorter than `length`.
    public init(path: String, length: Int) throws {
        self.path = path
        temporaryPath = path + ".partial"
        // The earlier run may have been stopped just after it renamed the file.
        if length > 0, FileSystem.kind(of: temporaryPath) == nil, FileSystem.kind(of: path) == .file {
            try FileSystem.rename(path, to: temporaryPath)
        }
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot write", path, errno) }
        guard lseek(descriptor, 0, SEEK_END) >= off_t(length) else {
            throw UserError(
                .inputOutput,
                "\(temporaryPath) has fewer than the \(length) bytes that an earlier run wrote to it"
            )
        }
        guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, 0, SEEK_END) == off_t(length) else {
            throw FileSystem.failure("cannot write", path, errno)
        }
    }

    deinit { close(descriptor) }

    /// Writes bytes at the end.
    ///
    /// - Throws: `UserError(.inputOutput)`, for example when the disk is full.
    package func append(_ bytes: UnsafeRawBufferPointer) throws {
        guard FileSystem.write(bytes, to: descriptor) else { throw FileSystem.failure("cannot write", path, errno) }
    }

    /// Flushes the bytes to disk.
    ///
    /// - Throws: `UserError(.inputOutput)` if that fails.
    public func synchronize() throws {
        guard AtomicFile.flush(descriptor) else { throw FileSystem.failure("cannot write", path, errno) }
    }

    /// Flushes the bytes to disk and renames the file to `path`.
    ///
    /// - Throws: `UserError(.inputOutput)` if that fails.
    public func commit() throws {
        try synchronize()
        try FileSystem.rename(temporaryPath, to: path)
        try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
    }
}
