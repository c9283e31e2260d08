/// The path of a file or folder as the system stores it: any number of bytes, which need not be UTF-8.
///
/// Most paths in the program are strings, because the program chooses them or they come from settings. Files that users
/// name, and files in their folders, can have any name.
public struct FilePath: Hashable, Sendable, ExpressibleByStringLiteral {
    /// The bytes, without a NUL at the end.
    public let bytes: [UInt8]

    /// Creates a path from a text, in UTF-8.
    public init(_ text: String) { bytes = Array(text.utf8) }

    /// Creates a path from its bytes.
    public init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    /// Creates a path from a string literal.
    public init(stringLiteral text: String) { self.init(text) }

    /// Creates a path from a C string.
    package init(cString: UnsafePointer<CChar>) {
        bytes = Array(UnsafeBufferPointer(start: cString, count: strlen(cString)).lazy.map { UInt8(bitPattern: $0) })
    }

    /// The last part of the path: `a/b/` gives `b`.
    public var lastComponent: FilePath {
        var end = bytes.endIndex
        while end > 1, bytes[end - 1] == Self.slash { end -= 1 }
        guard end > 1, let slash = bytes[..<end].lastIndex(of: Self.slash) else {
            return FilePath(bytes: bytes[..<end])
        }
        return FilePath(bytes: bytes[slash + 1..<end])
    }

    /// Whether the last part begins with a period.
    public var isHidden: Bool { lastComponent.bytes.first == UInt8(ascii: ".") }

    /// Returns the path of a name in this folder.
    public func appending(_ name: FilePath) -> FilePath {
        FilePath(bytes: bytes + (bytes.last == Self.slash ? [] : [Self.slash]) + name.bytes)
    }

    static let slash = UInt8(ascii: "/")
}

extension FilePath: Comparable {
    /// Orders paths as text. Paths that are equal as text are ordered by their bytes.
    public static func < (first: FilePath, second: FilePath) -> Bool {
        let texts = (String(decoding: first.bytes, as: UTF8.self), String(decoding: second.bytes, as: UTF8.self))
        return texts.0 == texts.1 ? first.bytes.lexicographicallyPrecedes(second.bytes) : texts.0 < texts.1
    }
}

extension FilePath: CustomStringConvertible {
    /// The path as text, for messages: a byte that is not UTF-8 is written as in `caf\xE9`.
    public var description: String {
        var text = ""
        Self.parse(bytes) { scalar, _ in
            text.unicodeScalars.append(scalar)
        } other: { byte in
            text += "\\x" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }
        return text
    }

    /// Parses bytes that are mostly UTF-8.
    ///
    /// - Parameters:
    ///   - bytes: the bytes to parse.
    ///   - valid: called with each scalar and its bytes.
    ///   - other: called with each byte that is not part of a scalar.
    package static func parse(
        _ bytes: [UInt8],
        valid: (Unicode.Scalar, ArraySlice<UInt8>) -> Void,
        other: (UInt8) -> Void
    ) {
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var position = 0
        while true {
            switch parser.parseScalar(from: &iterator) {
            case .valid(let encoded):
                valid(Unicode.UTF8.decode(encoded), bytes[position..<position + encoded.count])
                position += encoded.count
            case .error(let length):
                bytes[position..<position + length].forEach(other)
                position += length
            case .emptyInput: return
            }
        }
    }
}
