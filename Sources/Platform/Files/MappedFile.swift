/// A memory-mapped file for reading. Pages are read from disk at their first use, and processes share them.
///
/// The mapping refers to the file that was opened, even if another file is renamed to its path. Reading beyond the end
/// of a file that was truncated in place raises SIGBUS, so this project replaces files only by rename.
public final class MappedFile: @unchecked Sendable {
    // Sendable because the mapping is never written and lives as long as this object.

    /// The path that the file was opened with.
    public let path: String
    /// The file's bytes; valid while this object exists.
    public let bytes: UnsafeRawBufferPointer

    /// Opens and maps a file.
    ///
    /// - Throws: `UserError(.inputOutput)` if the path is missing, not readable, or not a regular file.
    public init(path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot open", path, errno) }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else {
            throw FileSystem.failure("cannot read the metadata of", path, errno)
        }
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

    /// Drops pages from this process's resident memory. They stay valid and are read again at the next use.
    ///
    /// - Parameter range: a range within `bytes`.
    public func release(_ range: Range<Int>) {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= bytes.count,
            "bytes \(range) lie outside the \(bytes.count) bytes of the file"
        )
        guard !range.isEmpty else { return }
        Self.release(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }

    /// Starts to read pages from disk without waiting for them.
    ///
    /// - Parameter range: within `bytes`.
    public func prefetch(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "\(range) of \(bytes.count) bytes")
        guard !range.isEmpty, let base = bytes.baseAddress else { return }
        // The call takes whole pages only, and the mapping begins at a page.
        let start = range.lowerBound / Int(getpagesize()) * Int(getpagesize())
        madvise(UnsafeMutableRawPointer(mutating: base + start), range.upperBound - start, MADV_WILLNEED)
    }

    /// Drops the pages of a part of any mapped file, as `release(_:)` for a range does. Other memory would lose its
    /// content.
    package static func release(_ bytes: UnsafeRawBufferPointer) {
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
