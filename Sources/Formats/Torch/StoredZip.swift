import Platform

/// A memory-mapped zip archive with uncompressed entries, as torch.save writes it.
///
/// Entries are located by the directory at the end of the file, so entries whose sizes follow in data descriptors can
/// be read, and so can large archives in the 64-bit format. Compressed or encrypted entries are refused. Source:
/// PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3.
struct StoredZip {
    /// The byte range of each entry in the file, by name.
    let entries: [String: Range<Int>]

    private static let signature: UInt32 = 0x0403_4B50

    /// Whether a file starts with the signature of a zip entry.
    static func hasMagic(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 4 && UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == signature
    }

    /// - Throws: `UserError(.data)` if the file is not a valid archive of uncompressed entries.
    init(_ file: MappedFile) throws {
        do {
            entries = try Directory(bytes: file.bytes).entries()
        } catch let malformed as Malformed {
            throw UserError(.data, "\(file.path) is not a valid zip archive of PyTorch: \(malformed.reason)")
        }
    }

    private struct Malformed: Error {
        let reason: String
    }

    private struct Directory {
        let bytes: UnsafeRawBufferPointer

        /// Reads a little-endian number. A number outside the file or of 2^63 or more is an error.
        private func number<Number: FixedWidthInteger>(_ offset: Int, as type: Number.Type) throws -> Int {
            guard offset >= 0, offset <= bytes.count - MemoryLayout<Number>.size else {
                throw Malformed(reason: "it is truncated")
            }
            let number = Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
            guard let value = Int(exactly: number) else { throw Malformed(reason: "it contains the size \(number)") }
            return value
        }

        private func uint16(_ offset: Int) throws -> Int { try number(offset, as: UInt16.self) }
        private func uint32(_ offset: Int) throws -> Int { try number(offset, as: UInt32.self) }
        private func uint64(_ offset: Int) throws -> Int { try number(offset, as: UInt64.self) }

        func entries() throws -> [String: Range<Int>] {
            let (count, start, end) = try location()
            // A directory entry has at least 46 bytes.
            guard start <= end, end <= bytes.count, count <= (end - start) / 46 else {
                throw Malformed(reason: "its directory lies outside the file")
            }
            var entries: [String: Range<Int>] = [:]
            var position = start
            for _ in 0..<count {
                let (name, range) = try entry(at: &position)
                guard entries.updateValue(range, forKey: name) == nil else {
                    throw Malformed(reason: "it has two entries named \(name)")
                }
            }
            return entries
        }

        /// Returns the number of entries and the byte range of the directory.
        private func location() throws -> (count: Int, start: Int, end: Int) {
            // The end record has 22 bytes and a comment of up to 65535.
            var record = bytes.count - 22
            let lowest = max(0, record - 0xFFFF)
            while record >= lowest, try uint32(record) != 0x0605_4B50 { record -= 1 }
            guard record >= lowest else { throw Malformed(reason: "it has no directory at its end: it is truncated") }
            guard try uint16(record + 10) != 0xFFFF, try uint32(record + 12) != 0xFFFF_FFFF,
                try uint32(record + 16) != 0xFFFF_FFFF
            else {
                guard record >= 20, try uint32(record - 20) == 0x0706_4B50 else {
                    throw Malformed(reason: "its 64-bit directory is missing")
                }
                let large = try uint64(record - 12)
                guard large <= bytes.count - 56, try uint32(large) == 0x0606_4B50 else {
                    throw Malformed(reason: "its 64-bit directory is missing")
                }
                return try location(count: uint64(large + 32), size: uint64(large + 40), start: uint64(large + 48))
            }
            return try location(count: uint16(record + 10), size: uint32(record + 12), start: uint32(record + 16))
        }

        private func location(count: Int, size: Int, start: Int) throws -> (count: Int, start: Int, end: Int) {
            let (end, overflows) = start.addingReportingOverflow(size)
            guard !overflows else { throw Malformed(reason: "its directory lies outside the file") }
            return (count, start, end)
        }

        private func entry(at position: inout Int) throws -> (name: String, range: Range<Int>) {
            guard try uint32(position) == 0x0201_4B50 else { throw Malformed(reason: "its directory is damaged") }
            let (nameLength, extraLength) = (try uint16(position + 28), try uint16(position + 30))
            let nameStart = position + 46
            let extraEnd = nameStart + nameLength + extraLength
            guard extraEnd <= bytes.count,
                let name = String(validating: bytes[nameStart..<nameStart + nameLength], as: UTF8.self)
            else { throw Malformed(reason: "its directory is damaged") }
            guard try uint16(position + 8) & 1 == 0, try uint16(position + 10) == 0 else {
                throw Malformed(reason: "its entry \(name) is compressed or encrypted, which torch.save never does")
            }
            var sizes = [try uint32(position + 24), try uint32(position + 20), try uint32(position + 42)]
            try readLargeSizes(&sizes, nameStart + nameLength..<extraEnd)
            guard sizes[0] == sizes[1] else { throw Malformed(reason: "its entry \(name) has two different sizes") }
            position = extraEnd + (try uint16(position + 32))

            let header = sizes[2]
            guard header <= bytes.count - 30, try uint32(header) == Int(StoredZip.signature) else {
                throw Malformed(reason: "its entry \(name) is not at the offset in the directory")
            }
            let start = header + 30 + (try uint16(header + 26)) + (try uint16(header + 28))
            guard start <= bytes.count, sizes[0] <= bytes.count - start else {
                throw Malformed(reason: "its entry \(name) ends outside the file")
            }
            return (name, start..<start + sizes[0])
        }

        /// Replaces sizes of 0xFFFFFFFF by the 64-bit numbers in extra field 1, which appear there in the same order.
        private func readLargeSizes(_ sizes: inout [Int], _ extra: Range<Int>) throws {
            guard sizes.contains(0xFFFF_FFFF) else { return }
            var field = extra.lowerBound
            while field + 4 <= extra.upperBound {
                let length = try uint16(field + 2)
                guard try uint16(field) == 1 else {
                    field += 4 + length
                    continue
                }
                var place = field + 4
                for index in sizes.indices where sizes[index] == 0xFFFF_FFFF {
                    guard place + 8 <= min(extra.upperBound, field + 4 + length) else { break }
                    sizes[index] = try uint64(place)
                    place += 8
                }
                return
            }
        }
    }
}
