/// A mounted file system, as this process sees it.
package struct Mount: Equatable, Sendable {
    /// Its number; the kernel's, for as long as it is mounted.
    package var id: Int
    /// The folder of the file system that stands at `point`.
    package var root: String
    /// The path at which it stands.
    package var point: String
    /// Such as `tmpfs`.
    package var type: String
    /// Options of this mount and of its file system, such as `ro` and, for control groups, the name of a controller.
    package var options: Set<String>

    /// For an example or a test.
    package init(id: Int, root: String = "/", point: String, type: String, options: Set<String> = []) {
        self.id = id
        self.root = root
        self.point = point
        self.type = type
        self.options = options
    }

    /// All mounts, in the order of the kernel; none where it does not tell them.
    ///
    /// - Parameter systemRoot: stands before the path of the kernel's file.
    package static func all(systemRoot: String = "") -> [Mount] {
        SystemFile.lines(systemRoot + "/proc/self/mountinfo", limit: 4 << 20).compactMap(Mount.init)
    }

    /// A line such as `31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - tmpfs tmpfs rw,mode=755`, described in proc(5).
    private init?(line: Substring) {
        let words = line.split(separator: " ")
        guard words.count >= 6, let id = Int(words[0]), let separator = words[6...].firstIndex(of: "-"),
            words.count > separator + 1
        else { return nil }
        let superOptions = words.count > separator + 3 ? words[separator + 3].split(separator: ",") : []
        self.init(
            id: id,
            root: Self.unescaped(words[3]),
            point: Self.unescaped(words[4]),
            type: String(words[separator + 1]),
            options: Set((words[5].split(separator: ",") + superOptions).map { String($0) })
        )
    }

    /// Spaces, tabs, line ends and backslashes are written as three octal digits, as in `\040`.
    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
