import Platform

/// Checks the free disk space before files are written.
enum DiskSpace {
    /// - Parameters:
    ///   - needs: The number of bytes that will be written to each folder. The folders may not exist yet.
    ///   - name: The dataset or model that needs the space.
    ///   - options: The options that choose other folders, for the error message.
    /// - Throws: `UserError(.usage)` with the name of the folder that has too little free space.
    static func check(_ needs: [(folder: String, bytes: Int)], of name: String, options: String) throws {
        let free = try needs.map { try FileSystem.freeBytes(at: $0.folder) }
        // Equal amounts of free space mean that the folders share a file system.
        let isShared = Set(free).count == 1
        let total = needs.reduce(0) { $0 + $1.bytes }
        for (index, need) in needs.enumerated() {
            let bytes = isShared ? total : need.bytes
            guard bytes > free[index] else { continue }
            throw UserError(
                .usage,
                """
                \(name) needs \(ByteCount.text(bytes)) of disk space, but \(need.folder) has only \
                \(ByteCount.text(free[index])) free; free some space or choose another folder with \(options)
                """
            )
        }
    }
}
