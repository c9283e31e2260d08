import Platform

/// Builds archives and compressed files byte by byte, so that tests control the details in which programs differ.
enum ArchiveMaking {
    struct Member {
        var name: [UInt8]
        var content: [UInt8]

        init(_ name: [UInt8], _ content: [UInt8]) {
            self.name = name
            self.content = content
        }

        init(_ name: String, _ content: [UInt8]) { self.init(Array(name.utf8), content) }
        init(_ name: String, _ content: String) { self.init(name, Array(content.utf8)) }
    }

    /// Returns a gzip member whose content is stored without compression.
    ///
    /// - Parameter head: The ten bytes of the header, and the optional fields that its flags announce.
    static func gzip(_ bytes: [UInt8], head: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]) -> [UInt8] {
        let blocks = stride(from: 0, to: max(1, bytes.count), by: 0xFFFF).flatMap { start -> [UInt8] in
            let end = min(bytes.count, start + 0xFFFF)
            let length = little(end - start, 2)
            return [end == bytes.count ? 1 : 0] + length + length.map { ~$0 } + bytes[start..<end]
        }
        return head + blocks + little(Int(crc32(bytes)), 4) + little(bytes.count, 4)
    }

    /// Returns a tar, with or without the signature of POSIX.
    static func tar(_ members: [Member], hasMark: Bool = true, hasEnd: Bool = true) -> [UInt8] {
        func octal(_ value: Int, _ width: Int) -> [UInt8] {
            let digits = String(value, radix: 8)
            return Array((String(repeating: "0", count: width - 1 - digits.count) + digits).utf8) + [0]
        }
        var bytes: [UInt8] = []
        for member in members {
            var head = member.name + [UInt8](repeating: 0, count: 100 - member.name.count)
            head += octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(member.content.count, 12) + octal(0, 12)
            head += [UInt8](repeating: 0x20, count: 8) + Array("0".utf8) + [UInt8](repeating: 0, count: 100)
            if hasMark { head += Array("ustar\u{0}00".utf8) }
            head += [UInt8](repeating: 0, count: 512 - head.count)
            head.replaceSubrange(148..<156, with: octal(head.reduce(0) { $0 + Int($1) }, 7) + [0x20])
            bytes += head + member.content
            bytes += [UInt8](repeating: 0, count: (512 - member.content.count % 512) % 512)
        }
        return bytes + [UInt8](repeating: 0, count: hasEnd ? 1024 : 0)
    }

    /// Returns a zip whose members are stored without compression. Names that are valid UTF-8 are flagged as UTF-8.
    static func zip(_ members: [Member], comment: String = "") -> [UInt8] {
        var (files, list): ([UInt8], [UInt8]) = ([], [])
        for member in members {
            let isUTF8 = String(validating: member.name, as: UTF8.self) != nil
            let size = little(member.content.count, 4)
            let common =
                little(20, 2) + little(isUTF8 ? 0x800 : 0, 2) + little(0, 2) + little(0, 4)
                + little(Int(crc32(member.content)), 4) + size + size + little(member.name.count, 2) + little(0, 2)
            list += Array("PK\u{1}\u{2}".utf8) + little(20, 2) + common + little(0, 10) + little(files.count, 4)
            list += member.name
            files += Array("PK\u{3}\u{4}".utf8) + common + member.name + member.content
        }
        let count = little(members.count, 2)
        return files + list + Array("PK\u{5}\u{6}".utf8) + little(0, 4) + count + count + little(list.count, 4)
            + little(files.count, 4) + little(comment.utf8.count, 2) + Array(comment.utf8)
    }

    static func little(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * $0)) : 0 }
    }

    static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
        }
    }
}
