/// A folder that appears under its name only when it is complete: it is filled under a temporary name and then renamed.
///
/// ```swift
/// let folder = try AtomicFolder(path: "data/mine")
/// try AtomicFile.write(bytes, to: folder.temporaryPath + "/train.bin")
/// try folder.commit(replacing: false)
/// ```
/// The next process that creates the same folder removes what a killed process left behind. A lock on the temporary
/// folder shows whether its owner is still running.
///
/// Readers see either the old folder or the new one. On file systems that can exchange two names (ext4, xfs, btrfs,
/// overlay, APFS), one of the two always exists. On other file systems, neither exists for a moment between two
/// renames.
public final class AtomicFolder {
    /// The folder's path after `commit`.
    public let path: String
    /// Where to write the content before `commit`.
    public let temporaryPath: String
    private var isOpen = true
    private let isKept: Bool
    /// Holds the lock on the temporary folder.
    private let descriptor: Int32

    /// Creates an empty temporary folder next to `path`, and any missing folders above it.
    ///
    /// - Throws: `UserError(.inputOutput)` if a folder cannot be created.
    public init(path: String) throws {
        self.path = path
        isKept = false
        try FileSystem.createFolder(FileSystem.folder(of: path))
        Self.removeLeftovers(of: path)
        temporaryPath = TemporaryName.beside(path)
        guard mkdir(temporaryPath, 0o777) == 0 else { throw FileSystem.failure("cannot write", path, errno) }
        descriptor = open(temporaryPath, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot write", path, errno) }
        // On a file system without locks, leftovers stay. Nothing else depends on the lock.
        _ = flock(descriptor, LOCK_EX | LOCK_NB)
    }

    /// Continues with the folder that an interrupted process left next to `path`, or creates an empty one. The folder
    /// is named `.NAME.unfinished` and stays until `commit` or `discard`.
    ///
    /// - Throws: `UserError(.usage)` if another process is using it; `UserError(.inputOutput)` if it cannot be created.
    public init(continuing path: String) throws {
        self.path = path
        isKept = true
        try FileSystem.createFolder(FileSystem.folder(of: path))
        Self.removeLeftovers(of: path)
        temporaryPath = Self.unfinishedPath(of: path)
        try FileSystem.createFolder(temporaryPath)
        descriptor = open(temporaryPath, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot write", path, errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            throw UserError(.usage, "another process is writing \(path): wait until it ends, or choose another name")
        }
    }

    /// Returns the temporary folder of `init(continuing:)`.
    public static func unfinishedPath(of path: String) -> String {
        let folder = FileSystem.folder(of: path)
        return (folder == "/" ? "/" : folder + "/") + ".\(FileSystem.lastComponent(of: path)).unfinished"
    }

    deinit {
        close(descriptor)
        if isOpen && !isKept { try? FileSystem.remove(temporaryPath) }
    }

    /// Removes the temporary folder and its content, instead of `commit`.
    ///
    /// - Throws: `UserError(.inputOutput)` if the folder cannot be removed.
    public func discard() throws {
        isOpen = false
        try FileSystem.remove(temporaryPath)
    }

    /// Renames the temporary folder to `path`.
    ///
    /// - Parameter replacing: whether to replace, and remove, an existing folder.
    /// - Throws: `UserError(.usage)` if something exists at `path` and may not be replaced; `UserError(.inputOutput)` if a rename fails.
    public func commit(replacing: Bool) throws {
        precondition(isOpen, "\(path) has already been committed")
        try FileSystem.synchronizeFolder(temporaryPath)
        if FileSystem.kind(of: path) == nil {
            try FileSystem.rename(temporaryPath, to: path)
        } else {
            guard replacing else {
                throw UserError(.usage, "\(path) exists already: choose another name, or replace it")
            }
            try replace()
        }
        isOpen = false
        try FileSystem.synchronizeFolder(FileSystem.folder(of: path))
    }

    private static func removeLeftovers(of path: String) {
        let folder = FileSystem.folder(of: path)
        let prefix = ".\(FileSystem.lastComponent(of: path))."
        for name in (try? FileSystem.names(inFolder: folder)) ?? [] where name.hasPrefix(prefix) {
            guard TemporaryName.isEnding(name.dropFirst(prefix.count)) else { continue }
            let leftover = folder + "/" + name
            let descriptor = open(leftover, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { try? FileSystem.remove(leftover) }
            close(descriptor)
        }
    }

    private func replace() throws {
        if exchangeNames(temporaryPath, path) {
            try FileSystem.remove(temporaryPath)
            return
        }
        let old = TemporaryName.beside(path, kind: "old")
        try FileSystem.rename(path, to: old)
        do {
            try FileSystem.rename(temporaryPath, to: path)
        } catch {
            try? FileSystem.rename(old, to: path)
            throw error
        }
        try FileSystem.remove(old)
    }

    /// Exchanges two names in one step.
    ///
    /// - Returns: false if the system cannot do it.
    private func exchangeNames(_ first: String, _ second: String) -> Bool {
        #if canImport(Darwin)
            renamex_np(first, second, UInt32(RENAME_SWAP)) == 0
        #elseif canImport(Glibc)
            renameAt2?(AT_FDCWD, first, AT_FDCWD, second, renameExchange) == 0
        #else
            false
        #endif
    }
}

#if canImport(Glibc)
    private typealias RenameAt2 =
        @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32

    /// glibc has renameat2 since 2.28, but Swift's Glibc module does not declare it.
    private let renameAt2: RenameAt2? = dlsym(nil, "renameat2").map { unsafeBitCast($0, to: RenameAt2.self) }
    private let renameExchange: UInt32 = 2
#endif
