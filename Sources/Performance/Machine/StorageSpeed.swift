import Formats
import Platform

/// Measures how fast a checkpoint is saved: written, flushed to disk, and read again for its hash.
package enum StorageSpeed {
    private static let size = 1 << 24

    /// Writes a file of 16 MB to the folder, or to its nearest existing parent, and removes it.
    ///
    /// - Returns: bytes per second; nil if the file cannot be written.
    package static func measure(folder: String) -> Double? {
        let path = FileSystem.nearestFolder(to: folder) + "/.ddp-train-plan-\(getpid())"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        defer { unlink(path) }
        let bytes = [UInt8](repeating: 1, count: size)
        let start = ContinuousClock.now
        var done = 0
        while done < size {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, size - done) }
            guard count > 0 else {
                close(descriptor)
                return nil
            }
            done += count
        }
        let flushed = fsync(descriptor) == 0
        close(descriptor)
        guard flushed, (try? Checksum.sha256(ofFile: path)) != nil else { return nil }
        return Double(size) / ((.now - start) / .seconds(1))
    }
}
