import Platform

/// The format of `torch.save` before PyTorch 1.6, which `_use_new_zipfile_serialization=False` still writes.
///
/// The file consists of five pickles: a magic number, the format version, facts about the machine, the saved value and
/// the keys of the storages. The storages follow in the order of their keys: the number of elements in 8 bytes, then
/// the elements. Source: `_legacy_save` in `torch/serialization.py`.
struct LegacyTorchFile {
    let value: PickleValue
    /// The byte range of each storage's elements in the file, by key.
    let storages: [String: Range<Int>]

    /// The LONG1 opcode with 0x1950a86a20f9469cfc6c, as pickle protocols from 2 on write it.
    private static let magic: [UInt8] = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
    private static let magicLine = "L119547037146038801333356L\n"
    private static let version = 1001

    static func hasMagic(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // The PROTO opcode precedes the magic number; from protocol 4 on, so does FRAME.
        bytes.starts(with: magicLine.utf8) || bytes.dropFirst(2).starts(with: magic)
            || bytes.dropFirst(2 + 9).starts(with: magic)
    }

    /// - Throws: `UserError(.data)` if the file is not a complete file of this format.
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
            throw UserError(.data, "\(path) has the PyTorch file version \(version); only \(Self.version) can be read")
        }
        guard try next("facts about the machine")["little_endian"]?.boolValue != false else {
            throw UserError(.data, "\(path) was written on a big-endian machine; only little-endian files can be read")
        }
        value = try next("what was saved")
        guard let keys = try next("the keys of its storages").elements else {
            throw UserError(.data, "\(path) lacks the list of storage keys")
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
                throw UserError(.data, "\(file.path): no tensor gives the element type of storage \(key)")
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
        UserError(.data, "\(file.path) is truncated: it ends inside storage \(key)")
    }
}
