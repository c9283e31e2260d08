/// A file that is read by calls. Where its storage fails a call throws, while the use of a mapping would end the process.
package final class OpenedFile {
    private let path: String
    private let descriptor: Int32

    /// - Throws: `UserError(.inputOutput)` when the file cannot be opened.
    package init(path: String) throws {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot open", path, errno) }
    }

    deinit { close(descriptor) }

    /// Fills `bytes` with those of the file from `offset` on.
    ///
    /// - Throws: `UserError(.inputOutput)` when they cannot be read; `UserError(.data)` when the file ends before.
    package func fill(_ bytes: UnsafeMutableRawBufferPointer, from offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let count = pread(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileSystem.failure("cannot read", path, errno)
            }
            guard count > 0 else {
                throw UserError(
                    .data,
                    "\(path) has fewer than \(offset + bytes.count) bytes: it was cut short since it was opened"
                )
            }
            done += count
        }
    }
}
