/// The metadata of a file or folder at the time of a call.
public struct FileInfo: Equatable, Sendable {
    /// Identifies a file independently of its path.
    public struct Identity: Hashable, Sendable {
        let device: UInt64
        let number: UInt64
    }

    /// Whether the item is a file, a folder or something else.
    public let kind: FileSystem.ItemKind
    /// The size in bytes.
    public let size: Int
    /// The time of the last change of the content: seconds since 1970, a point, and nanoseconds.
    public let modificationTime: String
    /// The file's identity.
    public let identity: Identity

    /// Reads the metadata of the item at a path. Symbolic links are followed.
    ///
    /// - Throws: `UserError(.inputOutput)` if nothing exists at the path or its metadata cannot be read.
    public init(of path: FilePath) throws {
        var info = stat()
        guard FileSystem.at(path, { fstatat($0, $1, &info, 0) }) == 0 else {
            throw FileSystem.failure("cannot open", path, errno)
        }
        self.init(info)
    }

    /// Reads the metadata of an open file. `path` is for error messages.
    ///
    /// - Throws: `UserError(.inputOutput)` if the metadata cannot be read.
    package init(ofDescriptor descriptor: Int32, _ path: FilePath) throws {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else {
            throw FileSystem.failure("cannot read the metadata of", path, errno)
        }
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
