import Platform

/// Converts a UTF-16 stream to UTF-8.
final class UTF16Stream: ByteStream {
    let name: String
    private let source: any ByteStream
    private let isBigEndian: Bool
    private var raw = [UInt8](repeating: 0, count: 1 << 16)
    /// The number of bytes at the start of `raw` that belong to an incomplete unit or surrogate pair.
    private var held = 0
    /// The byte offset of `raw` in the file.
    private var offset: Int
    private var text: [UInt8] = []
    private var position = 0

    /// - Parameters:
    ///   - source: The stream after the byte order mark, if there is one.
    ///   - isBigEndian: The byte order.
    ///   - offset: The byte offset in the file where the source starts, for errors.
    init(_ source: any ByteStream, isBigEndian: Bool, from offset: Int) {
        name = source.name
        self.source = source
        self.isBigEndian = isBigEndian
        self.offset = offset
    }

    /// - Throws: `UserError(.data)` with the byte offset if there is an unpaired surrogate or the text ends within a
    ///   character.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while position == text.count {
            guard try fill() else { return 0 }
        }
        let count = min(buffer.count, text.count - position)
        text.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[position..<position + count]))
        }
        position += count
        return count
    }

    private func fill() throws -> Bool {
        let count = try raw.withUnsafeMutableBytes {
            try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[held...]))
        }
        guard count > 0 else {
            guard held == 0 else { throw failure("it ends within a character", at: offset) }
            return false
        }
        try decode(count: held + count)
        return true
    }

    private func decode(count: Int) throws {
        text.removeAll(keepingCapacity: true)
        position = 0
        var start = 0
        while start + 2 <= count {
            let unit = unit(at: start)
            var (value, length) = (unit, 2)
            if (0xD800..<0xDC00).contains(unit) {
                guard start + 4 <= count else { break }
                let second = self.unit(at: start + 2)
                guard (0xDC00..<0xE000).contains(second) else {
                    throw failure("it has an unpaired surrogate", at: offset + start)
                }
                (value, length) = (0x10000 + (unit - 0xD800) << 10 + (second - 0xDC00), 4)
            }
            guard let scalar = Unicode.Scalar(value) else {
                throw failure("it has an unpaired surrogate", at: offset + start)
            }
            text.append(contentsOf: UTF8.encode(scalar)!)
            start += length
        }
        held = count - start
        for index in 0..<held { raw[index] = raw[start + index] }
        offset += start
    }

    private func unit(at index: Int) -> UInt32 {
        let (first, second) = (UInt32(raw[index]), UInt32(raw[index + 1]))
        return isBigEndian ? first << 8 | second : second << 8 | first
    }

    private func failure(_ reason: String, at offset: Int) -> UserError {
        UserError(
            .data,
            """
            \(name) is damaged UTF-16: \(reason) at byte \(offset); convert the readable part with \
            iconv -c -f UTF-16\(isBigEndian ? "BE" : "LE") -t UTF-8
            """
        )
    }
}
