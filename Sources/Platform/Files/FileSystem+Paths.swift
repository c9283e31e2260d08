// Operations on paths with any bytes and of any length. The system accepts at most PATH_MAX bytes in one call, so a
// longer path is opened one folder at a time.
extension FileSystem {
    /// Opens a file or folder with the flags of `open`.
    ///
    /// - Returns: the descriptor, or -1 with the cause in `errno`.
    package static func openDescriptor(_ path: FilePath, _ flags: Int32) -> Int32 {
        at(path) { openat($0, $1, flags | O_CLOEXEC) }
    }

    /// Returns the names in a folder, sorted, without `.` and `..`. Hidden names are included.
    public static func names(inFolder path: FilePath) throws -> [FilePath] {
        let descriptor = openDescriptor(path, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0 else { throw failure("cannot read the folder", path, errno) }
        guard let folder = fdopendir(descriptor) else {
            close(descriptor)
            throw failure("cannot read the folder", path, errno)
        }
        defer { closedir(folder) }
        var names: [FilePath] = []
        errno = 0
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 1) { FilePath(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw failure("cannot read the folder", path, errno) }
        return names.sorted()
    }

    /// Removes a file, a symbolic link (not its target), or a folder and its content. A missing path is not an error.
    public static func remove(_ path: FilePath) throws {
        var info = stat()
        guard at(path, { fstatat($0, $1, &info, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            if errno == ENOENT { return }
            throw failure("cannot remove", path, errno)
        }
        let isFolder = ItemKind(mode: info.st_mode) == .folder
        if isFolder {
            for name in try names(inFolder: path) { try remove(path.appending(name)) }
        }
        guard at(path, { unlinkat($0, $1, isFolder ? AT_REMOVEDIR : 0) }) == 0 || errno == ENOENT else {
            throw failure("cannot remove", path, errno)
        }
    }

    /// Creates the error for a failed system call, such as `cannot open data/x/train.bin: No such file or directory`.
    ///
    /// - Parameters:
    ///   - what: the operation that failed, such as `cannot open`.
    ///   - path: the path that the operation failed for.
    ///   - code: the value of `errno`.
    public static func failure(_ what: String, _ path: FilePath, _ code: Int32) -> UserError {
        failure(what, path.description, code)
    }

    /// Makes a system call on a path. The call gets a folder's descriptor and the rest of the path, relative to this
    /// folder.
    ///
    /// - Returns: the result of the call, or -1 with the cause in `errno` if a folder of the path cannot be opened.
    static func at(_ path: FilePath, _ call: (Int32, UnsafePointer<CChar>) -> Int32) -> Int32 {
        var folder = AT_FDCWD
        defer { closeFolder(folder) }
        var rest = path.bytes[...]
        while rest.count >= Int(PATH_MAX) {
            guard let slash = rest.prefix(Int(PATH_MAX) - 1).lastIndex(of: FilePath.slash), slash > rest.startIndex
            else {
                errno = ENAMETOOLONG
                return -1
            }
            let next = withCString(rest[..<slash]) { openat(folder, $0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
            guard next >= 0 else { return -1 }
            closeFolder(folder)
            folder = next
            // A slash at the start would mean the root.
            rest = rest[slash...].drop { $0 == FilePath.slash }
        }
        return withCString(rest.isEmpty && !path.bytes.isEmpty ? [UInt8(ascii: ".")] : rest) { call(folder, $0) }
    }

    private static func withCString(_ bytes: ArraySlice<UInt8>, _ call: (UnsafePointer<CChar>) -> Int32) -> Int32 {
        (bytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { call($0.baseAddress!) }
    }

    private static func closeFolder(_ descriptor: Int32) {
        let code = errno
        if descriptor != AT_FDCWD { close(descriptor) }
        errno = code
    }
}
