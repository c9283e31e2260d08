import Crypto

/// SHA-256 of bytes that come piece by piece.
public struct RunningChecksum {
    private var hash = SHA256()

    /// Of no bytes yet.
    public init() {}

    /// Adds bytes after those that came before.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    /// Of the bytes so far, as `Checksum` writes it.
    public var text: String { Checksum.hexadecimal(hash.finalize()) }
}

extension Checksum {
    /// The first 8 bytes of SHA-256(seed as 8 little-endian bytes, then `bytes`), read as a big-endian number.
    public static func word(of bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        var hash = SHA256()
        withUnsafeBytes(of: seed.littleEndian) { hash.update(bufferPointer: $0) }
        hash.update(bufferPointer: bytes)
        return hash.finalize().prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
