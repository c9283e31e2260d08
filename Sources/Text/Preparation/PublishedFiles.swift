import Formats

/// The files of a data set that is known by its name: a copy that the user names, the cache, or downloads.
struct PublishedFiles {
    let dataset: NamedDataset
    let files: [PublicFile]
    let cacheFolder: String
    let dataFolder: String

    /// Their paths, in order. Says first what is to be done, and whether there is room for it.
    ///
    /// - Parameters:
    ///   - copy: of tiny shakespeare the file; of OpenWebText any archive, file or folder of its documents; of TinyStories the
    ///     folder of its two files.
    ///   - announce: told what is downloaded and written.
    /// - Throws: `UserError`: `.usage` when there is no room on the disk, and as `Download.locate`.
    func locate(
        copy: String?,
        announce: (String) -> Void,
        progress: @escaping (PreparationProgress) -> Void
    ) throws -> [String] {
        if let copy, let paths = try own(copy) { return paths }
        let downloads = files.map { Download(file: $0, cacheFolder: cacheFolder) }
        let missing = downloads.reduce(0) { $0 + $1.missingBytes }
        // Small ones are there before a line about them is read.
        if missing + dataset.tokenBytes > 100_000_000 {
            let transfer = missing > 0 ? "\(ByteCount.text(missing)) to download to \(cacheFolder), then " : ""
            announce(
                "\(dataset.rawValue): \(transfer)about \(ByteCount.text(dataset.tokenBytes)) of tokens to write to \(dataFolder); "
                    + "interrupted, the same command goes on where it stopped"
            )
        }
        try DiskRoom.check(
            [(cacheFolder, missing), (dataFolder, dataset.tokenBytes)],
            of: dataset.rawValue,
            mend: "--data_dir and \(CacheFolder.variable)"
        )
        var done = 0
        return try downloads.map { download in
            let total = files.reduce(0) { $0 + $1.byteCount }
            let path = try download.locate(copy: copy) { bytes in
                progress(.init(stage: .downloading, doneBytes: done + bytes, totalBytes: total))
            }
            done += download.file.byteCount
            return path
        }
    }

    /// Of a copy that need not be the published file itself; nil where it must be.
    private func own(_ copy: String) throws -> [String]? {
        switch dataset {
        case .openwebtext: return [copy]
        case .tinystories:
            let paths = files.map { copy + "/" + FileSystem.lastComponent(of: $0.cachePath) }
            if let absent = paths.first(where: { FileSystem.kind(of: $0) == nil }) {
                throw UserError(
                    .usage,
                    "\(absent) is missing: --from names the folder with \(files.map(\.title).joined(separator: " and "))"
                )
            }
            return paths
        case .shakespeareChar, .shakespeare, .demo: return nil
        }
    }
}
