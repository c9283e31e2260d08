/// What the system says about a file or folder at one moment.
public struct FileInfo: Equatable, Sendable {
    /// Which file it is, whatever its path.
    public struct Identity: Hashable, Sendable {
        let device: UInt64
        let number: UInt64
    }

    /// What it is.
    public let kind: FileSystem.ItemKind
    /// Its size in bytes.
    public let size: Int
    /// When its content was last changed: seconds since 1970, a point, and nanoseconds.
    public let modificationTime: String
    /// Which file it is.
    public let identity: Identity

    /// - Throws: `UserError(.inputOutput)` if nothing is there, or it cannot be looked at. Symbolic links are followed.
    public init(of path: FilePath) throws {
        var info = stat()
        guard FileSystem.at(path, { fstatat($0, $1, &info, 0) }) == 0 else {
            throw FileSystem.failure("cannot open", path, errno)
        }
        self.init(info)
    }

    /// - Throws: `UserError(.inputOutput)`.
    package init(ofDescriptor descriptor: Int32, _ path: FilePath) throws {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw FileSystem.failure("cannot look at", path, errno) }
        self.init(info)
    }

    private init(_ info: stat) {
        kind = FileSystem.ItemKind(mode: info.st_mode)
        size = Int(info.st_size)
        modificationTime = "\(info.modificationTime.tv_sec).\(info.modificationTime.tv_nsec)"
        identity = Identity(
            device: UInt64(truncatingIfNeeded: info.st_dev),
            number: UInt64(truncatingIfNeeded: info.st_ino)
        )
    }
}
