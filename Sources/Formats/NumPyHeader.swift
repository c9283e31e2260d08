import Platform

/// The header of a file that `numpy.save` writes (NPY, versions 1 to 3): the type of the elements and the shape of the array.
///
/// ```
/// \x93NUMPY, major, minor, length of the rest (2 bytes in version 1, else 4), then the text of a Python dictionary:
/// {'descr': '<u2', 'fortran_order': False, 'shape': (2000,), }
/// ```
/// The text is compared with patterns; nothing of it is executed.
package struct NumPyHeader: Equatable, Sendable {
    /// The type of the elements as NumPy writes it, such as `<u2`: byte order, kind and bytes.
    package let descriptor: String
    /// The sizes of the array's dimensions; empty for a single number.
    package let shape: [Int]
    /// Bytes before the first element.
    package let byteCount: Int

    /// `\x93NUMPY`.
    private static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]
    /// What NumPy itself writes is below 200 bytes for an array of numbers.
    private static let maximumTextLength = 1 << 16

    /// Nil when the bytes do not begin as an NPY file does.
    ///
    /// - Parameter path: for messages.
    /// - Throws: `UserError(.data)` when they do, and the rest of the header is of another version, cut short or damaged.
    package init?(_ bytes: UnsafeRawBufferPointer, path: String) throws {
        guard bytes.count >= 8, bytes.prefix(6).elementsEqual(Self.magic) else { return nil }
        let version = bytes[6]
        guard (1...3).contains(version) else {
            throw UserError(.data, "\(path) is an NPY file of version \(version); this program reads versions 1 to 3")
        }
        let start = version == 1 ? 10 : 12
        guard bytes.count >= start else { throw Self.damaged(path, "it is cut short") }
        let length = (8..<start).reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) }
        guard length <= Self.maximumTextLength, length <= bytes.count - start else {
            throw Self.damaged(path, "it says that it has \(length) bytes")
        }
        let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]), as: UTF8.self)
        guard text.firstMatch(of: /['"]descr['"]\s*:\s*\[/) == nil else {
            throw UserError(.data, "\(path) is an NPY file of records, not of numbers")
        }
        guard let type = text.firstMatch(of: /['"]descr['"]\s*:\s*['"]([^'"]+)['"]/),
            let sizes = text.firstMatch(of: /['"]shape['"]\s*:\s*\(([0-9L, ]*)\)/)
        else { throw Self.damaged(path, "it has no descr or no shape") }
        descriptor = String(type.1)
        // Python 2 wrote 2000L.
        let parts = sizes.1.split(separator: ",").map { $0.filter { $0 != "L" && $0 != " " } }
        shape = try parts.filter { !$0.isEmpty }.map { part in
            guard let size = Int(part) else { throw Self.damaged(path, "its shape has the size \(part)") }
            return size
        }
        byteCount = start + length
    }

    private static func damaged(_ path: String, _ reason: String) -> UserError {
        UserError(.data, "\(path) begins as an NPY file, but its header is damaged: \(reason); save it again")
    }
}
