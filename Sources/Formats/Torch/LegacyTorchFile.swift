import Platform

/// The form of `torch.save` before PyTorch 1.6, which `_use_new_zipfile_serialization=False` still writes.
///
/// Five pickles, one after the other: a magic number, the version of the form, facts about the machine, what was
/// saved, and the keys of the storages. Behind them each storage in the order of these keys: the number of its elements
/// in 8 bytes, and the elements. Source: `_legacy_save` in `torch/serialization.py`.
struct LegacyTorchFile {
    let value: PickleValue
    /// Where each storage lies in the file.
    let storages: [String: Range<Int>]

    /// 0x1950a86a20f9469cfc6c, as protocols from 2 on write it.
    private static let magic: [UInt8] = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
    private static let magicLine = "L119547037146038801333356L\n"
    private static let version = 1001

    static func hasMagic(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // PROTO stands before it and, from protocol 4 on, FRAME.
        bytes.starts(with: magicLine.utf8) || bytes.dropFirst(2).starts(with: magic)
            || bytes.dropFirst(2 + 9).starts(with: magic)
    }

    /// - Throws: `UserError(.data)` when it is not such a file as a whole.
    init(_ file: MappedFile) throws {
        let path = file.path
        var position = 0
        func next(_ part: String) throws -> PickleValue {
            let (value, end) = try PickleReader.read(
                file,
                position..<file.bytes.count,
                named: "\(path) (\(part), from byte \(position))"
            )
            position = end
            return value
        }
        _ = try next("its magic number")
        let version = try next("its version")
        guard version.integerValue == Self.version else {
            throw UserError(.data, "\(path) is a file of PyTorch of version \(version); \(Self.version) is read")
        }
        guard try next("facts about the machine")["little_endian"]?.boolValue != false else {
            throw UserError(.data, "\(path) was written on a machine of another byte order: only little-endian is read")
        }
        value = try next("what was saved")
        guard let keys = try next("the keys of its storages").elements else {
            throw UserError(.data, "\(path) has no list of the keys of its storages")
        }
        storages = try Self.storages(keys, of: value, from: position, in: file)
    }

    private static func storages(
        _ keys: [PickleValue],
        of value: PickleValue,
        from start: Int,
        in file: MappedFile
    ) throws -> [String: Range<Int>] {
        let sizes = Dictionary(value.storages.map { ($0.key, $0.type.size) }) { first, _ in first }
        var storages: [String: Range<Int>] = [:]
        var position = start
        for key in keys {
            guard let key = key.stringValue, let size = sizes[key] else {
                throw UserError(.data, "\(file.path): nothing says what the elements of storage \(key) are")
            }
            guard position <= file.bytes.count - 8 else { throw cutShort(file, key) }
            let count = UInt64(littleEndian: file.bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            position += 8
            guard count <= UInt64((file.bytes.count - position) / size) else { throw cutShort(file, key) }
            storages[key] = position..<position + size * Int(count)
            position += size * Int(count)
        }
        return storages
    }

    private static func cutShort(_ file: MappedFile, _ key: String) -> UserError {
        UserError(.data, "\(file.path) was cut short: it ends within its storage \(key)")
    }
}
