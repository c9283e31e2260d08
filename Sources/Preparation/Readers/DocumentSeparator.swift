import Platform

/// What ends a document of plain text wherever it stands.
///
/// A line feed in it stands for any line end of the text: LF, or CR LF. Where the separator itself has a CR before it, only CR LF
/// is meant.
struct DocumentSeparator {
    let bytes: [UInt8]
    /// Bytes of its maximumLength form in a text.
    let maximumLength: Int
    /// By byte: whether it is a line feed that may have a CR before it in the text.
    private let mayFollowCR: [Bool]

    /// Nil for an empty one.
    init?(_ text: String?) {
        guard let text, !text.isEmpty else { return nil }
        let bytes = Array(text.utf8)
        self.bytes = bytes
        mayFollowCR = bytes.indices.map { bytes[$0] == 0x0A && ($0 == 0 || bytes[$0 - 1] != 0x0D) }
        maximumLength = bytes.count + mayFollowCR.count { $0 }
    }

    /// The first place in a text.
    ///
    /// - Parameters:
    ///   - position: where to begin: there is none between `start` and it, but the CR of one may be there.
    ///   - start: of the document.
    func find(in text: UnsafeRawBufferPointer, from position: Int, documentStart start: Int) -> Range<Int>? {
        guard let base = text.baseAddress else { return nil }
        var position = position
        while position < text.count, let found = memchr(base + position, Int32(bytes[0]), text.count - position) {
            position = UnsafeRawPointer(found) - base
            if let end = end(in: text, from: position) {
                let hasCR = mayFollowCR[0] && position > start && text[position - 1] == 0x0D
                return (hasCR ? position - 1 : position)..<end
            }
            position += 1
        }
        return nil
    }

    /// The end of a separator that begins here, with its first byte; nil if none does.
    private func end(in text: UnsafeRawBufferPointer, from position: Int) -> Int? {
        var position = position + 1
        for index in bytes.indices.dropFirst() {
            if mayFollowCR[index], position < text.count, text[position] == 0x0D { position += 1 }
            guard position < text.count, text[position] == bytes[index] else { return nil }
            position += 1
        }
        return position
    }
}
