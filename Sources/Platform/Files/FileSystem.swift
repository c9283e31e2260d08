/// Operations on files and folders.
///
/// Throwing functions throw `UserError(.inputOutput)`, which gives the operation, the path and the cause. `read` also
/// throws `UserError(.data)` for a file above its limit.
public enum FileSystem {
    /// The kind of an item at a path; `other` is a device, a pipe or a socket.
    public enum ItemKind: Sendable {
        case file, folder, other

        /// - Parameter mode: the system's `st_mode`.
        init(mode: mode_t) {
            switch mode & mode_t(S_IFMT) {
            case mode_t(S_IFREG): self = .file
            case mode_t(S_IFDIR): self = .folder
            default: self = .other
            }
        }
    }

    /// Returns the kind of the item at a path, following symbolic links; nil if nothing exists there.
    public static func kind(of path: String) -> ItemKind? {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        return ItemKind(mode: info.st_mode)
    }

    /// Returns the size of a file in bytes.
    public static func size(ofFile path: String) throws -> Int {
        var info = stat()
        guard stat(path, &info) == 0 else { throw failure("cannot read the metadata of", path, errno) }
        return Int(info.st_size)
    }

    /// Returns the time of a file's last change: seconds since 1970, a point, and nanoseconds.
    public static func modificationTime(of path: String) throws -> String {
        var info = stat()
        guard stat(path, &info) == 0 else { throw failure("cannot read the metadata of", path, errno) }
        return "\(info.modificationTime.tv_sec).\(info.modificationTime.tv_nsec)"
    }

    /// Returns the time of a file's last change, in seconds since 1970.
    public static func modificationSeconds(of path: String) throws -> Int {
        var info = stat()
        guard stat(path, &info) == 0 else { throw failure("cannot read the metadata of", path, errno) }
        return info.modificationTime.tv_sec
    }

    /// Returns the number of bytes that this process can still write to the file system of a path, or of the nearest
    /// folder above it.
    public static func freeBytes(at path: String) throws -> Int {
        let place = nearestFolder(to: path)
        var info = statvfs()
        guard statvfs(place, &info) == 0 else { throw failure("cannot read the metadata of", place, errno) }
        return Int(info.f_bavail) * Int(info.f_frsize)
    }

    /// Returns the path itself if it is a folder, else the nearest folder above it; `.` if a relative path has none.
    public static func nearestFolder(to path: String) -> String {
        var place = path
        while kind(of: place) != .folder, folder(of: place) != place { place = folder(of: place) }
        return place
    }

    /// Creates a folder and any missing folders above it. An existing folder is not an error.
    public static func createFolder(_ path: String) throws {
        if mkdir(path, 0o777) == 0 { return }
        let code = errno
        if code == EEXIST, kind(of: path) == .folder { return }
        let above = folder(of: path)
        guard code == ENOENT, above != path else { throw failure("cannot create the folder", path, code) }
        // The folder may exist by now, because another process or thread may create it at the same time.
        try createFolder(above)
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
            throw failure("cannot create the folder", path, errno)
        }
    }

    /// Removes a file, a symbolic link (not its target), or a folder and its content. A missing path is not an error.
    public static func remove(_ path: String) throws { try remove(FilePath(path)) }

    /// Renames a file or folder within a file system. A file at the new path is replaced atomically.
    public static func rename(_ path: String, to newPath: String) throws {
        let result = path.withCString { old in newPath.withCString { new in systemRename(old, new) } }
        guard result == 0 else { throw failure("cannot rename \(path) to", newPath, errno) }
    }

    /// Gives a file a second name: a hard link, or a symbolic link if a hard link fails, such as across file systems.
    public static func link(_ path: String, to newPath: String) throws {
        // Resolve symbolic links first: a relative target would be wrong from another folder.
        guard let file = realpath(path, nil) else { throw failure("cannot open", path, errno) }
        defer { free(file) }
        guard systemLink(file, newPath) == 0 || symlink(file, newPath) == 0 else {
            throw failure("cannot link \(path) as", newPath, errno)
        }
    }

    /// Returns the names in a folder, sorted, without `.` and `..`. Hidden names are included. A byte that is not UTF-8
    /// is written as in `caf\xE9`, so such a file cannot be opened by this name.
    public static func names(inFolder path: String) throws -> [String] {
        try names(inFolder: FilePath(path)).map(\.description)
    }

    /// Returns all bytes of a file.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - limit: the maximum size in bytes; a longer file is an error. Nil reads any length.
    public static func read(_ path: String, limit: Int? = nil) throws -> [UInt8] {
        let file = try MappedFile(path: path)
        if let limit, file.bytes.count > limit {
            throw UserError(
                .data,
                "\(path) has \(file.bytes.count) bytes, more than the limit of \(limit) for such a file"
            )
        }
        return Array(file.bytes)
    }

    /// Writes all bytes to an open file.
    ///
    /// - Returns: false, with the cause in `errno`, if that fails.
    package static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let written = systemWrite(descriptor, rest)
            if written < 0 {
                if errno == EINTR { continue }
                return false
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
        return true
    }

    /// Writes all bytes to an open file or stream, as long as it takes some.
    ///
    /// - Parameter patience: how long to wait for a reader that takes nothing.
    /// - Returns: false if that fails, or nobody reads.
    public static func write(_ bytes: [UInt8], to descriptor: Int32, patience: Duration) -> Bool {
        var done = 0
        while done < bytes.count {
            var target = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let ready = poll(&target, 1, Int32(patience / .milliseconds(1)))
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { return false }
            // A pipe that is ready has room for as much.
            let count = bytes[done...].withUnsafeBytes { systemWrite(descriptor, .init(rebasing: $0.prefix(4096))) }
            if count > 0 {
                done += count
            } else if errno != EINTR && errno != EAGAIN {
                return false
            }
        }
        return true
    }

    /// Flushes a folder's names to disk, so that a rename survives a power failure.
    public static func synchronizeFolder(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("cannot open the folder", path, errno) }
        defer { close(descriptor) }
        // Some network file systems do not support fsync on folders. The rename itself has succeeded.
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else {
            throw failure("cannot write the folder", path, errno)
        }
    }

    /// Returns the folder of a path: `a/b` gives `a`, `b` gives `.`, `/b` gives `/`.
    public static func folder(of path: String) -> String {
        let trimmed = path.droppingTrailingSlashes
        guard let slash = trimmed.lastIndex(of: "/") else { return trimmed == "/" ? "/" : "." }
        let above = String(trimmed[..<slash]).droppingTrailingSlashes
        return above.isEmpty ? "/" : above
    }

    /// Returns the last part of a path: `a/b/` gives `b`.
    public static func lastComponent(of path: String) -> String {
        let trimmed = path.droppingTrailingSlashes
        guard trimmed != "/", let slash = trimmed.lastIndex(of: "/") else { return trimmed }
        return String(trimmed[trimmed.index(after: slash)...])
    }

    /// Creates the error for a failed system call, such as `cannot open data/x/train.bin: No such file or directory`.
    ///
    /// - Parameters:
    ///   - what: the operation that failed, such as `cannot open`.
    ///   - path: the path that the operation failed for.
    ///   - code: the value of `errno`.
    public static func failure(_ what: String, _ path: String, _ code: Int32) -> UserError {
        UserError(.inputOutput, "\(what) \(path): \(errorText(code))")
    }
}

/// The system's `rename`, which the method of the same name hides.
private func systemRename(_ old: UnsafePointer<CChar>, _ new: UnsafePointer<CChar>) -> Int32 {
    rename(old, new)
}

/// The system's `write`, which the method of the same name hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    // macOS refuses more than 2 GiB at once.
    write(descriptor, bytes.baseAddress, min(bytes.count, 1 << 30))
}

/// The system's `link`, which the method of the same name hides.
private func systemLink(_ path: UnsafePointer<CChar>, _ newPath: UnsafePointer<CChar>) -> Int32 {
    link(path, newPath)
}

extension String {
    fileprivate var droppingTrailingSlashes: String {
        var path = self[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        return String(path)
    }
}
