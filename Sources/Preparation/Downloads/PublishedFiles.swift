import Datasets
import Platform

/// Finds the files of a published dataset: in a copy that the user passes, in the cache folder, or by download.
struct PublishedFiles {
    let dataset: NamedDataset
    let files: [PublicFile]
    let cacheFolder: String
    let dataFolder: String
    var tool = Download.Tool()

    /// Returns the paths of the files, in order. First announces the size of downloads and checks the free disk space.
    ///
    /// - Parameters:
    ///   - copy: The file of tiny shakespeare, an archive, file or folder with the documents of OpenWebText, or the
    ///     folder with the files of another dataset.
    ///   - announce: Called with a message about the sizes of the download and the dataset.
    /// - Throws: `UserError(.usage)` if there is too little disk space or a file is missing in the copy, and the errors
    ///   of `Download.locate`.
    func locate(
        copy: String?,
        announce: (String) -> Void,
        progress: @escaping (PreparationProgress) -> Void
    ) throws -> [String] {
        if let copy, let paths = try uncheckedPaths(inCopy: copy) { return paths }
        let downloads = files.map { Download(file: $0, cacheFolder: cacheFolder, tool: tool) }
        let missing = downloads.reduce(0) { $0 + $1.missingBytes }
        // A small download is finished before anybody could read a message about it.
        if missing + dataset.tokenBytes > 100_000_000 {
            let steps = [
                missing > 0
                    ? "\(ByteCount.text(missing)) to download to \(cacheFolder), \(Self.time(missing)) at 10 MB/s"
                    : nil,
                dataset.tokenBytes > 0
                    ? "about \(ByteCount.text(dataset.tokenBytes)) of tokens to write to \(dataFolder)" : nil,
            ].compactMap(\.self)
            announce(
                """
                \(dataset.rawValue): \(steps.joined(separator: ", then ")); if interrupted, run the same command again to \
                continue
                """
            )
        }
        try DiskSpace.check(
            [(cacheFolder, missing), (dataFolder, dataset.tokenBytes)],
            of: dataset.rawValue,
            options: "--data_dir and \(CacheFolder.variable)"
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

    /// Returns the paths in a copy whose hashes are not checked, or nil if the copy must equal the published file.
    private func uncheckedPaths(inCopy copy: String) throws -> [String]? {
        switch dataset {
        case .openwebtext: return [copy]
        case .tinystories:
            let paths = files.map { $0.path(inCopy: copy) }
            if let absent = paths.first(where: { FileSystem.kind(of: $0) == nil }) {
                throw UserError(
                    .usage,
                    """
                    \(absent) is missing; --from must be the folder with \
                    \(files.map(\.title).joined(separator: " and "))
                    """
                )
            }
            return paths
        case .fineweb:
            let paths = files.map { $0.path(inCopy: copy) }
            if let absent = paths.first(where: { FileSystem.kind(of: $0) == nil }) {
                throw UserError(
                    .usage,
                    """
                    \(absent) is missing; --from must be the folder with \(files[0].title) and the training shards from \
                    \(files[1].title) on; --shards N uses only the first N of them
                    """
                )
            }
            return paths
        case .shakespeareChar, .shakespeare, .demo: return nil
        }
    }

    /// Returns the approximate duration of a transfer at 10 MB/s.
    private static func time(_ bytes: Int) -> String {
        let minutes = (bytes + 300_000_000) / 600_000_000
        return minutes < 60 ? "\(max(1, minutes)) min" : "\(minutes / 60) h \(minutes % 60) min"
    }
}
