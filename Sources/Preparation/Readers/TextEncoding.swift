/// The encoding of a text, detected by a byte order mark or by the positions of NUL bytes in its first bytes.
enum TextEncoding: Equatable {
    /// UTF-8, or another encoding that contains ASCII.
    case bytes
    case utf8WithMark
    case utf16(isBigEndian: Bool, hasMark: Bool)
    case utf32

    static let utf8Mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    init(head: [UInt8]) {
        if head.starts(with: [0xFF, 0xFE, 0, 0]) || head.starts(with: [0, 0, 0xFE, 0xFF]) {
            self = .utf32
        } else if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) {
            self = .utf16(isBigEndian: head[0] == 0xFE, hasMark: true)
        } else if head.starts(with: Self.utf8Mark) {
            self = .utf8WithMark
        } else if !head.contains(0) {
            self = .bytes
        } else if [true, false].contains(where: { Self.isUTF32(head, isBigEndian: $0) }) {
            self = .utf32
        } else if let isBigEndian = [true, false].first(where: { Self.isUTF16(head, isBigEndian: $0) }) {
            self = .utf16(isBigEndian: isBigEndian, hasMark: false)
        } else {
            self = .bytes
        }
    }

    /// The length of the byte order mark in bytes.
    var markLength: Int {
        switch self {
        case .utf8WithMark: Self.utf8Mark.count
        case .utf16(_, let hasMark): hasMark ? 2 : 0
        case .bytes, .utf32: 0
        }
    }

    /// Whether all 16-bit units are characters of a text and at least half are Latin. Binary data with 16-bit numbers
    /// fails this test, because it has zeros and small values.
    private static func isUTF16(_ head: [UInt8], isBigEndian: Bool) -> Bool {
        guard head.count >= 4, head.count % 2 == 0 else { return false }
        var latin = 0
        for index in stride(from: 0, to: head.count, by: 2) {
            let (high, low) = (
                UInt32(head[isBigEndian ? index : index + 1]), UInt32(head[isBigEndian ? index + 1 : index])
            )
            let unit = high << 8 | low
            guard (0xD800..<0xE000).contains(unit) || isTextScalar(unit) else { return false }
            if high == 0 { latin += 1 }
        }
        return 2 * latin >= head.count / 2
    }

    private static func isUTF32(_ head: [UInt8], isBigEndian: Bool) -> Bool {
        guard head.count >= 4, head.count % 4 == 0 else { return false }
        return stride(from: 0, to: head.count, by: 4).allSatisfy { index in
            let bytes = isBigEndian ? Array(head[index..<index + 4]) : head[index..<index + 4].reversed()
            return isTextScalar(bytes.reduce(0) { $0 << 8 | UInt32($1) })
        }
    }

    private static func isTextScalar(_ value: UInt32) -> Bool {
        guard Unicode.Scalar(value) != nil, value & 0xFFFE != 0xFFFE else { return false }
        return value >= 0x20 && !(0x7F..<0xA0).contains(value) || (0x09...0x0D).contains(value)
    }
}
