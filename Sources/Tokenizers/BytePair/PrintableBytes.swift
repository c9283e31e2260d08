/// GPT-2's byte-level encoding, which writes each byte as one printable scalar. Bytes 33-126, 161-172 and 174-255 are
/// the scalars with the same value. The other bytes are, in ascending order, U+0100 and the scalars after it.
enum PrintableBytes {
    /// The scalar of each byte, indexed by byte.
    static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (0..<256).map { byte in
            switch byte {
            case 33...126, 161...172, 174...255: return Unicode.Scalar(UInt8(byte))
            default:
                defer { next += 1 }
                return Unicode.Scalar(next)!
            }
        }
    }()

    /// All bytes in the order of their scalars, which is the order of GPT-2's first 256 ids.
    static let order: [UInt8] = (0...255).sorted { scalars[Int($0)] < scalars[Int($1)] }

    /// The byte of each scalar below U+0144, or 256 if the scalar stands for no byte.
    private static let bytes: [UInt16] = {
        var bytes = [UInt16](repeating: 256, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = UInt16(byte) }
        return bytes
    }()

    static func text(of token: [UInt8]) -> String {
        var text = String.UnicodeScalarView()
        for byte in token { text.append(scalars[Int(byte)]) }
        return String(text)
    }

    /// Returns the bytes of a printable form, or nil if a scalar stands for no byte.
    static func token(of text: some StringProtocol) -> [UInt8]? {
        var token: [UInt8] = []
        token.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            guard scalar.value < bytes.count, bytes[Int(scalar.value)] < 256 else { return nil }
            token.append(UInt8(bytes[Int(scalar.value)]))
        }
        return token
    }

    /// Returns the printable form in quotation marks, for messages.
    static func quoted(_ token: [UInt8]) -> String { "\"\(text(of: token))\"" }
}
