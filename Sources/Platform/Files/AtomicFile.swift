import Synchronization

/// A file that appears under its name only when it is complete: it is written under a temporary name, flushed to disk
/// and renamed.
///
/// ```swift
/// let file = try AtomicFile(path: "out/model.safetensors")
/// try file.append(header)
/// try file.append(values)
/// try file.commit()
/// ```
/// An existing file stays unchanged until `commit` returns. Without `commit` nothing is left behind, unless the process
/// is killed: then a file named `.NAME.PID-N.partial` stays.
public final class AtomicFile {
    /// The file's path after `commit`.
    public let path: String
    private let temporaryPath: String
    private var descriptor: Int32

    /// Creates the temporary file next to `path`.
    ///
    /// - Throws: `UserError(.inputOutput)` if the folder is missing or not writable.
    public init(path: String) throws {
        self.path = path
        temporaryPath = TemporaryName.beside(path)
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot write", path, errno) }
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(temporaryPath)
    }

    /// Writes bytes at the end of the file.
    ///
    /// - Throws: `UserError(.inputOutput)`, for example when the disk is full.
    package func append(_ bytes: UnsafeRawBufferPointer) throws {
        precondition(descriptor >= 0, "\(path) has already been committed")
        guard FileSystem.write(bytes, to: descriptor) else { throw FileSystem.failure("cannot write", path, errno) }
    }

    /// Writes bytes at the end of the file.
    ///
    /// - Throws: `UserError(.inputOutput)`, for example when the disk is full.
    public func append(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try append($0) }
    }

    /// Writes a text at the end of the file, in UTF-8.
    ///
    /// - Throws: `UserError(.inputOutput)`, for example when the disk is full.
    public func append(_ text: String) throws {
        var text = text
        try text.withUTF8 { try append(UnsafeRawBufferPointer($0)) }
    }

    /// Flushes the bytes to disk, gives the file its name, and makes the name durable.
    ///
    /// - Parameter durable: whether to wait until the data is on disk. If false, readers still see a complete file or
    ///   none, but a power failure may leave an empty one.
    /// - Throws: `UserError(.inputOutput)` if the file cannot be written or renamed.
    public func commit(durable: Bool = true) throws {
        precondition(descriptor >= 0, "\(path) has already been committed")
        guard !durable || Self.flush(descriptor) else { throw FileSystem.failure("cannot write", path, errno) }
        try FileSystem.rename(temporaryPath, to: path)
        close(descriptor)
        descriptor = -1
        guard durable else { return }
        try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
    }

    /// Writes a file in one call.
    ///
    /// - Throws: `UserError(.inputOutput)` if the folder is missing or not writable, or the disk is full.
    package static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws {
        let file = try AtomicFile(path: path)
        try file.append(bytes)
        try file.commit()
    }

    /// Writes a file in one call.
    ///
    /// - Throws: `UserError(.inputOutput)` if the folder is missing or not writable, or the disk is full.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        try bytes.withUnsafeBytes { try write($0, to: path) }
    }

    /// Writes a text file in one call, in UTF-8.
    ///
    /// - Throws: `UserError(.inputOutput)` if the folder is missing or not writable, or the disk is full.
    public static func write(_ text: String, to path: String) throws {
        try write(Array(text.utf8), to: path)
    }

    static func flush(_ descriptor: Int32) -> Bool {
        #if canImport(Darwin)
            // On macOS fsync does not flush the drive's cache.
            if fcntl(descriptor, F_FULLFSYNC) == 0 { return true }
        #endif
        return fsync(descriptor) == 0
    }
}

/// Creates temporary names: hidden, in the same folder, and unique.
enum TemporaryName {
    private static let counter = Atomic<Int>(0)

    static func beside(_ path: String, kind: String = "partial") -> String {
        let number = counter.wrappingAdd(1, ordering: .relaxed).newValue
        let folder = FileSystem.folder(of: path)
        let prefix = folder == "/" ? "/" : folder + "/"
        return "\(prefix).\(FileSystem.lastComponent(of: path)).\(getpid())-\(number).\(kind)"
    }

    /// Whether the part of a name after `.NAME.` has the form that `beside` creates: `PID-N.partial` or `PID-N.old`.
    static func isEnding(_ ending: Substring) -> Bool {
        let parts = ending.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1] == "partial" || parts[1] == "old" else { return false }
        let numbers = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        return numbers.count == 2 && numbers.allSatisfy { Int($0) != nil }
    }
}
