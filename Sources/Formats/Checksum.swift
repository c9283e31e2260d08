import Crypto

/// SHA-256 as 64 lowercase hexadecimal digits.
public enum Checksum {
    public static func sha256(of bytes: UnsafeRawBufferPointer) -> String {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        return hexadecimal(hash.finalize())
    }

    public static func sha256(of text: String) -> String {
        var text = text
        return text.withUTF8 { sha256(of: UnsafeRawBufferPointer($0)) }
    }

    /// - Throws: `UserError(.inputOutput)` when the file cannot be read.
    public static func sha256(ofFile path: String) throws -> String {
        let file = try MappedFile(path: path)
        return withExtendedLifetime(file) { sha256(of: file.bytes) }
    }

    private static func hexadecimal(_ digest: SHA256.Digest) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in digest { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
