import Platform

/// Finds the separator between documents of plain text.
///
/// A line feed in the separator matches LF and CR LF in the text. If the separator has a CR before the line feed, it
/// matches only CR LF.
struct DocumentSeparator {
    let bytes: [UInt8]
    /// The number of bytes of the longest match.
    let maximumLength: Int
    /// By byte of the separator: whether it is a line feed that matches CR LF too.
    private let mayFollowCR: [Bool]

    /// Returns nil if there is no separator or it is empty.
    init?(_ text: String?) {
        guard let text, !text.isEmpty else { return nil }
        let bytes = Array(text.utf8)
        self.bytes = bytes
        mayFollowCR = bytes.indices.map { bytes[$0] == 0x0A && ($0 == 0 || bytes[$0 - 1] != 0x0D) }
        maximumLength = bytes.count + mayFollowCR.count { $0 }
    }

    /// Returns the first match in a text.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - position: Where to start. No match starts before it, except for a CR that can be at the byte before it.
    ///   - start: The start of the document. A match does not extend before it.
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

    /// Returns the end of the match whose first byte (after a CR) is at `position`, or nil if there is no match.
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
