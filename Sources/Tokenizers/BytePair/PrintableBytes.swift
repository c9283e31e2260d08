/// GPT-2's byte level: each byte written as a printable scalar, bytes 33-126, 161-172 and 174-255 as themselves, the
/// others in order from U+0100 on.
enum PrintableBytes {
    /// The scalar of each byte.
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

    /// All bytes in the order of their scalars: that of GPT-2's first 256 ids.
    static let order: [UInt8] = (0...255).sorted { scalars[Int($0)] < scalars[Int($1)] }

    /// The byte of each scalar below U+0144, 256 for those that stand for none.
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

    /// Nil when a scalar stands for no byte.
    static func token(of text: some StringProtocol) -> [UInt8]? {
        var token: [UInt8] = []
        token.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            guard scalar.value < bytes.count, bytes[Int(scalar.value)] < 256 else { return nil }
            token.append(UInt8(bytes[Int(scalar.value)]))
        }
        return token
    }

    /// For messages: the printable form in quotation marks.
    static func quoted(_ token: [UInt8]) -> String { "\"\(text(of: token))\"" }
}
