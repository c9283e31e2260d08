import Datasets
import Platform

/// The files of a dataset that is known by its name: a copy that the user names, the cache, or downloads.
struct PublishedFiles {
    let dataset: NamedDataset
    let files: [PublicFile]
    let cacheFolder: String
    let dataFolder: String
    var tool = Download.Tool()

    /// Their paths, in order. Says first what is to be done, and whether there is room for it.
    ///
    /// - Parameters:
    ///   - copy: of tiny shakespeare the file; of OpenWebText any archive, file or folder of its documents; of the others the
    ///     folder of their files.
    ///   - announce: told what is downloaded and written.
    /// - Throws: `UserError`: `.usage` when there is no room on the disk, and as `Download.locate`.
    func locate(
        copy: String?,
        announce: (String) -> Void,
        progress: @escaping (PreparationProgress) -> Void
    ) throws -> [String] {
        if let copy, let paths = try uncheckedPaths(inCopy: copy) { return paths }
        let downloads = files.map { Download(file: $0, cacheFolder: cacheFolder, tool: tool) }
        let missing = downloads.reduce(0) { $0 + $1.missingBytes }
        // Small ones are there before a line about them is read.
        if missing + dataset.tokenBytes > 100_000_000 {
            let steps = [
                missing > 0
                    ? "\(ByteCount.text(missing)) to download to \(cacheFolder), \(Self.time(missing)) at 10 MB/s"
                    : nil,
                dataset.tokenBytes > 0
                    ? "about \(ByteCount.text(dataset.tokenBytes)) of tokens to write to \(dataFolder)" : nil,
            ].compactMap(\.self)
            announce(
                "\(dataset.rawValue): \(steps.joined(separator: ", then ")); interrupted, the same command goes on where it stopped"
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

    /// Of a copy that need not be the published file itself; nil where it must be.
    private func uncheckedPaths(inCopy copy: String) throws -> [String]? {
        switch dataset {
        case .openwebtext: return [copy]
        case .tinystories:
            let paths = files.map { $0.path(inCopy: copy) }
            if let absent = paths.first(where: { FileSystem.kind(of: $0) == nil }) {
                throw UserError(
                    .usage,
                    "\(absent) is missing: --from names the folder with \(files.map(\.title).joined(separator: " and "))"
                )
            }
            return paths
        case .fineweb:
            let paths = files.map { $0.path(inCopy: copy) }
            if let absent = paths.first(where: { FileSystem.kind(of: $0) == nil }) {
                throw UserError(
                    .usage,
                    """
                    \(absent) is missing: --from names the folder with \(files[0].title) and the shards from \(files[1].title) \
                    on, of which --shards N takes the first N
                    """
                )
            }
            return paths
        case .shakespeareChar, .shakespeare, .demo: return nil
        }
    }

    /// How long a transfer takes at 10 MB/s, about.
    private static func time(_ bytes: Int) -> String {
        let minutes = (bytes + 300_000_000) / 600_000_000
        return minutes < 60 ? "\(max(1, minutes)) min" : "\(minutes / 60) h \(minutes % 60) min"
    }
}
