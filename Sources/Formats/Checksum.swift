import CVectorKernels
import Crypto
import Platform

/// SHA-256 as 64 lowercase hexadecimal digits, and CRC-32C for speed where no protection against tampering is needed.
public enum Checksum {
    /// Returns the CRC-32C (Castagnoli) of `bytes`. If `before` is the CRC-32C of preceding bytes, the result covers
    /// both.
    public static func crc32c(of bytes: UnsafeRawBufferPointer, after before: UInt32 = 0) -> UInt32 {
        guard let start = bytes.baseAddress else { return before }
        return dt_crc32c(before, start, bytes.count)
    }

    /// Returns the SHA-256 of bytes in memory.
    public static func sha256(of bytes: UnsafeRawBufferPointer) -> String {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        return hexadecimal(hash.finalize())
    }

    /// Returns the SHA-256 of the text's UTF-8 bytes.
    public static func sha256(of text: String) -> String {
        var text = text
        return text.withUTF8 { sha256(of: UnsafeRawBufferPointer($0)) }
    }

    /// Returns the SHA-256 of a file, which is read in pieces of 1 MiB. A memory mapping would count the whole file as
    /// memory of the process.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - progress: called after each piece.
    /// - Throws: `UserError(.inputOutput)` if the file cannot be read.
    public static func sha256(ofFile path: String, progress: () -> Void = {}) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot open", path, errno) }
        defer { close(descriptor) }
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { piece.deallocate() }
        var hash = SHA256()
        while true {
            let count = read(descriptor, piece.baseAddress, piece.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw FileSystem.failure("cannot read", path, errno)
            }
            guard count > 0 else { return hexadecimal(hash.finalize()) }
            hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: piece[..<count]))
            progress()
        }
    }

    static func hexadecimal(_ digest: SHA256.Digest) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in digest { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
