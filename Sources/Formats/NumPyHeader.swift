import Platform

/// The header of a file that `numpy.save` writes (NPY, versions 1 to 3): the element type and the shape of the array.
///
/// ```
/// \x93NUMPY, major, minor, length of the rest (2 bytes in version 1, else 4), then the text of a Python dictionary:
/// {'descr': '<u2', 'fortran_order': False, 'shape': (2000,), }
/// ```
/// Regular expressions extract the values; nothing of the text is executed.
package struct NumPyHeader: Equatable, Sendable {
    /// The element type in NumPy's notation: byte order, kind and size in bytes, such as `<u2`.
    package let descriptor: String
    /// The size of each dimension; empty for a single number.
    package let shape: [Int]
    /// The number of bytes before the first element.
    package let byteCount: Int

    /// `\x93NUMPY`.
    private static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]
    /// The limit of the header's length in bytes. For an array of numbers NumPy writes fewer than 200.
    private static let maximumTextLength = 1 << 16

    /// Reads the header; returns nil if the bytes do not start with the NPY magic.
    ///
    /// - Parameters:
    ///   - bytes: the beginning of the file, at least the whole header.
    ///   - path: the file's path, for error messages.
    /// - Throws: `UserError(.data)` if the bytes start with the magic, but the rest of the header is truncated, damaged
    ///   or of an unknown version.
    package init?(_ bytes: UnsafeRawBufferPointer, path: String) throws {
        guard bytes.count >= 8, bytes.prefix(6).elementsEqual(Self.magic) else { return nil }
        let version = bytes[6]
        guard (1...3).contains(version) else {
            throw UserError(.data, "\(path) is an NPY file of version \(version); this program reads versions 1 to 3")
        }
        let start = version == 1 ? 10 : 12
        guard bytes.count >= start else { throw Self.damaged(path, "it is truncated") }
        let length = (8..<start).reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) }
        guard length <= Self.maximumTextLength, length <= bytes.count - start else {
            throw Self.damaged(path, "it claims to have \(length) bytes")
        }
        let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]), as: UTF8.self)
        guard text.firstMatch(of: /['"]descr['"]\s*:\s*\[/) == nil else {
            throw UserError(.data, "\(path) is an NPY file of records; save an array of numbers")
        }
        guard let type = text.firstMatch(of: /['"]descr['"]\s*:\s*['"]([^'"]+)['"]/),
            let sizes = text.firstMatch(of: /['"]shape['"]\s*:\s*\(([0-9L, ]*)\)/)
        else { throw Self.damaged(path, "it lacks descr or shape") }
        descriptor = String(type.1)
        // Python 2 wrote sizes such as 2000L.
        let parts = sizes.1.split(separator: ",").map { $0.filter { $0 != "L" && $0 != " " } }
        shape = try parts.filter { !$0.isEmpty }.map { part in
            guard let size = Int(part) else { throw Self.damaged(path, "its shape contains \(part)") }
            return size
        }
        byteCount = start + length
    }

    private static func damaged(_ path: String, _ reason: String) -> UserError {
        UserError(.data, "\(path) starts like an NPY file, but its header is damaged: \(reason); save the file again")
    }
}
