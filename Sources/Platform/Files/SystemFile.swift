/// Files that the kernel generates, as in /proc. They report no size, so they are read and not mapped.
package enum SystemFile {
    /// The lines of the file without empty ones; none if the file cannot be opened.
    ///
    /// - Parameter limit: bytes to read at most.
    package static func lines(_ path: String, limit: Int = 1 << 16) -> [Substring] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
    }
}
