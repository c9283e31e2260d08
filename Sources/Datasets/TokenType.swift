/// The type of the ids in a token file: little-endian integers of 1, 2, 4 or 8 bytes.
package struct TokenType: Equatable, Sendable, CustomStringConvertible {
    let byteCount: Int
    let isSigned: Bool

    static let uint16 = TokenType(byteCount: 2, isSigned: false)
    static let uint32 = TokenType(byteCount: 4, isSigned: false)
    static let uint64 = TokenType(byteCount: 8, isSigned: false)

    private init(byteCount: Int, isSigned: Bool) {
        self.byteCount = byteCount
        self.isSigned = isSigned
    }

    init(_ type: TokenFile.ElementType) { self = type == .uint16 ? .uint16 : .uint32 }

    /// Returns nil for types that are not little-endian integers, such as `>u2`, `<f4`, `|b1` and `|O`.
    init?(numPyDescriptor text: String) {
        let parts = Array(text)
        guard parts.count == 3, let bytes = parts[2].wholeNumberValue, [1, 2, 4, 8].contains(bytes),
            parts[0] == "<" || parts[0] == "|" && bytes == 1, parts[1] == "u" || parts[1] == "i"
        else { return nil }
        self.init(byteCount: bytes, isSigned: parts[1] == "i")
    }

    package var description: String { "\(isSigned ? "int" : "uint")\(8 * byteCount)" }

    /// The id that the bits of an element represent, or `Int.max` for a negative number.
    func id<Element: FixedWidthInteger & UnsignedInteger>(_ bits: Element) -> Int {
        isSigned && bits > Element.max / 2 ? .max : Int(clamping: bits)
    }
}
