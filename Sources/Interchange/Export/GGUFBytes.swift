/// A buffer of little-endian numbers, and of strings preceded by their length.
struct GGUFBytes {
    var bytes: [UInt8] = []

    mutating func append(contentsOf content: some Sequence<UInt8>) { bytes.append(contentsOf: content) }

    mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ text: String) {
        append(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }
}
