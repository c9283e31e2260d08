import Platform

/// An advisory lock that goes with its process, however that ends.
final class FolderLock {
    private let descriptor: Int32

    init(_ folder: String) throws {
        let path = folder + "/.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot write", path, errno) }
        // File systems without locks refuse with other codes; they cannot tell, so they do not stop a run.
        var isFree = flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK
        if !isFree {
            // It may be somebody who only looks, for a moment.
            usleep(20_000)
            isFree = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        }
        guard isFree else {
            close(descriptor)
            throw UserError(.usage, "another ddp-train writes to \(folder): wait for it, or choose another --out_dir")
        }
    }

    deinit { close(descriptor) }

    /// Whether another has the lock now; false too where nobody ever had, or the file system has no locks.
    static func isHeld(_ folder: String) -> Bool {
        let descriptor = open(folder + "/.lock", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }
}
