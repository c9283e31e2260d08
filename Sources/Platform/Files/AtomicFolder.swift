/// A folder that appears under its name only when it is whole: filled beside it, and renamed.
///
/// ```swift
/// let folder = try AtomicFolder(path: "data/mine")
/// try AtomicFile.write(bytes, to: folder.temporaryPath + "/train.bin")
/// try folder.commit(replacing: false)
/// ```
/// What a process that was killed left behind is removed by the next that makes the same folder: a lock on the folder tells
/// whether its owner is still there.
///
/// A reader sees the old folder or the new one. Where the file system can exchange two names (Linux's ext4, xfs, btrfs,
/// overlay; APFS) there is no moment without either; elsewhere the old one is moved aside for the moment between two renames.
public final class AtomicFolder {
    /// Its name once it is whole.
    public let path: String
    /// Where to put the content until `commit`.
    public let temporaryPath: String
    private var isOpen = true
    private let isKept: Bool
    /// Holds the lock.
    private let descriptor: Int32

    /// Makes an empty folder beside `path`, and the folders above it where they are missing.
    public init(path: String) throws {
        self.path = path
        isKept = false
        try FileSystem.createFolder(FileSystem.folder(of: path))
        Self.removeLeftovers(of: path)
        temporaryPath = TemporaryName.beside(path)
        guard mkdir(temporaryPath, 0o777) == 0 else { throw FileSystem.failure("cannot write", path, errno) }
        descriptor = open(temporaryPath, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot write", path, errno) }
        // Where a file system has no locks, leftovers stay; nothing else depends on it.
        _ = flock(descriptor, LOCK_EX | LOCK_NB)
    }

    /// Goes on with the folder that an earlier, interrupted owner left beside `path`, or makes an empty one. It stays there,
    /// as `.NAME.unfinished`, until `commit` or `discard`.
    ///
    /// - Throws: `UserError(.usage)` when another process is at work in it.
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
            throw UserError(.usage, "another process is making \(path): wait for its end, or choose another name")
        }
    }

    /// Where `init(continuing:)` has its content.
    public static func unfinishedPath(of path: String) -> String {
        let folder = FileSystem.folder(of: path)
        return (folder == "/" ? "/" : folder + "/") + ".\(FileSystem.lastComponent(of: path)).unfinished"
    }

    deinit {
        close(descriptor)
        if isOpen && !isKept { try? FileSystem.remove(temporaryPath) }
    }

    /// Removes the folder with all that is in it, in place of `commit`.
    public func discard() throws {
        isOpen = false
        try FileSystem.remove(temporaryPath)
    }

    /// Gives the folder its name.
    ///
    /// - Parameter replacing: whether a folder that has the name may be replaced (and is removed then).
    /// - Throws: `UserError(.usage)` when something has the name and may not be replaced.
    public func commit(replacing: Bool) throws {
        precondition(isOpen, "\(path) is written already")
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
            guard TemporaryName.isOne(name.dropFirst(prefix.count)) else { continue }
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

    /// Exchanges two names in one step; false where the system cannot.
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

    /// glibc has the call since 2.28, but Swift's view of its headers does not show it.
    private let renameAt2: RenameAt2? = dlsym(nil, "renameat2").map { unsafeBitCast($0, to: RenameAt2.self) }
    private let renameExchange: UInt32 = 2
#endif
