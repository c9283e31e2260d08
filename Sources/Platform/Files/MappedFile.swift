/// A whole file mapped for reading: pages come from disk as they are touched, and are shared between processes.
///
/// The mapping keeps the file that was opened: a file replaced by rename is not seen, and does no harm. A file cut short
/// in place would be a SIGBUS, which is why everything in this project replaces files by rename.
public final class MappedFile: @unchecked Sendable {
    // Sendable: the mapping is never written and lives as long as this object.

    /// The path that it was opened with.
    public let path: String
    /// The file's bytes, valid while this object lives.
    public let bytes: UnsafeRawBufferPointer

    /// - Throws: `UserError(.inputOutput)` when the path is missing, unreadable, or no regular file.
    public init(path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot open", path, errno) }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw FileSystem.failure("cannot look at", path, errno) }
        guard info.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG) else {
            throw UserError(.inputOutput, "cannot read \(path): it is not a regular file")
        }
        self.path = path
        let size = Int(info.st_size)
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
            throw FileSystem.failure("cannot map", path, errno)
        }
        bytes = UnsafeRawBufferPointer(start: base, count: size)
    }

    /// Gives pages back that will not be read again soon: they would count as memory of the process. They stay valid.
    public func release(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        Self.release(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }

    /// The same for a part of any mapped file.
    public static func release(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        let page = Int(getpagesize())
        let skipped = (page - Int(bitPattern: base) % page) % page
        guard skipped < bytes.count else { return }
        madvise(UnsafeMutableRawPointer(mutating: base + skipped), bytes.count - skipped, MADV_DONTNEED)
    }

    deinit {
        if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
    }
}
