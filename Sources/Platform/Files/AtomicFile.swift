import Synchronization

/// A file that appears under its name only when it is whole: written beside it, flushed to disk, and renamed.
///
/// ```swift
/// let file = try AtomicFile(path: "out/model.safetensors")
/// try file.append(header)
/// try file.append(values)
/// try file.commit()
/// ```
/// Until `commit` returns, a file that was there before stays as it was. Without `commit`, nothing is left behind but by
/// a process that was killed: a file named `.NAME.PID-N.partial`.
public final class AtomicFile {
    /// Its name once it is whole.
    public let path: String
    private let temporaryPath: String
    private var descriptor: Int32

    /// - Throws: `UserError(.inputOutput)` when the folder is missing or cannot be written.
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

    /// - Throws: `UserError(.inputOutput)`, as when the disk is full.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        precondition(descriptor >= 0, "\(path) is written already")
        guard FileSystem.write(bytes, to: descriptor) else { throw FileSystem.failure("cannot write", path, errno) }
    }

    /// - Throws: as for bytes.
    public func append(_ text: String) throws {
        var text = text
        try text.withUTF8 { try append(UnsafeRawBufferPointer($0)) }
    }

    /// Flushes the bytes to disk, gives the file its name, and makes the name durable.
    ///
    /// - Parameter durable: false for what is soon written again, or easily made again: whole or not there for every reader,
    ///   but nobody waits for the disk, and a loss of power may leave an empty file.
    /// - Throws: `UserError(.inputOutput)` when it cannot be written or renamed.
    public func commit(durable: Bool = true) throws {
        precondition(descriptor >= 0, "\(path) is written already")
        guard !durable || Self.flush(descriptor) else { throw FileSystem.failure("cannot write", path, errno) }
        try FileSystem.rename(temporaryPath, to: path)
        close(descriptor)
        descriptor = -1
        guard durable else { return }
        try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
    }

    /// Writes a whole file at once.
    ///
    /// - Throws: `UserError(.inputOutput)` when the folder is missing or cannot be written, or the disk is full.
    public static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws {
        let file = try AtomicFile(path: path)
        try file.append(bytes)
        try file.commit()
    }

    /// - Throws: as above.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        try bytes.withUnsafeBytes { try write($0, to: path) }
    }

    /// - Throws: as above.
    public static func write(_ text: String, to path: String) throws {
        try write(Array(text.utf8), to: path)
    }

    static func flush(_ descriptor: Int32) -> Bool {
        #if canImport(Darwin)
            // fsync on macOS stops at the drive's cache.
            if fcntl(descriptor, F_FULLFSYNC) == 0 { return true }
        #endif
        return fsync(descriptor) == 0
    }
}

/// Names for things that are not whole yet: in the same folder, hidden, and never used twice.
enum TemporaryName {
    private static let counter = Atomic<Int>(0)

    static func beside(_ path: String, kind: String = "partial") -> String {
        let number = counter.wrappingAdd(1, ordering: .relaxed).newValue
        let folder = FileSystem.folder(of: path)
        let prefix = folder == "/" ? "/" : folder + "/"
        return "\(prefix).\(FileSystem.lastComponent(of: path)).\(getpid())-\(number).\(kind)"
    }

    /// Whether what follows `.NAME.` in a name was made by `beside`: `PID-N.partial` or `PID-N.old`.
    static func isOne(_ ending: Substring) -> Bool {
        let parts = ending.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1] == "partial" || parts[1] == "old" else { return false }
        let numbers = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        return numbers.count == 2 && numbers.allSatisfy { Int($0) != nil }
    }
}
