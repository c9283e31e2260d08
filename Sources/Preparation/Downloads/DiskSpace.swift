import Platform

/// Whether what is about to be written finds room.
enum DiskSpace {
    /// - Parameters:
    ///   - needs: bytes that will be written to each folder; it need not exist yet.
    ///   - name: what needs them.
    ///   - options: how to choose other folders.
    /// - Throws: `UserError(.usage)` naming the folder whose disk has too little free.
    static func check(_ needs: [(folder: String, bytes: Int)], of name: String, options: String) throws {
        let free = try needs.map { try FileSystem.freeBytes(at: $0.folder) }
        // Folders of one file system share what is free there.
        let isShared = Set(free).count == 1
        let total = needs.reduce(0) { $0 + $1.bytes }
        for (index, need) in needs.enumerated() {
            let bytes = isShared ? total : need.bytes
            guard bytes > free[index] else { continue }
            throw UserError(
                .usage,
                """
                \(name) needs \(ByteCount.text(bytes)) of room and \(need.folder) has \(ByteCount.text(free[index])): \
                free some, or choose another place with \(options)
                """
            )
        }
    }
}
