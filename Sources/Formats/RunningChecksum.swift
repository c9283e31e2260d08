import Crypto

/// A SHA-256 that is computed while the bytes arrive in pieces.
public struct RunningChecksum {
    private var hash = SHA256()

    /// Creates the checksum of no bytes.
    public init() {}

    /// Appends bytes to the checksum.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    /// The SHA-256 of the bytes so far, as 64 lowercase hexadecimal digits.
    public var text: String { Checksum.hexadecimal(hash.finalize()) }
}

extension Checksum {
    /// Returns the first 8 bytes of SHA-256(seed as 8 little-endian bytes, then `bytes`), read as a big-endian number.
    public static func word(of bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        var hash = SHA256()
        withUnsafeBytes(of: seed.littleEndian) { hash.update(bufferPointer: $0) }
        hash.update(bufferPointer: bytes)
        return hash.finalize().prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
