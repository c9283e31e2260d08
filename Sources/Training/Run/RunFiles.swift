import Formats

/// What a run writes, by its places in `out_dir`, for those who look at runs.
public struct RunFiles: Sendable {
    /// `out_dir`.
    public let folder: String

    public init(folder: String) { self.folder = folder }

    public var metrics: String { folder + "/metrics.jsonl" }
    public var configuration: String { folder + "/config.toml" }
    public var samples: String { folder + "/samples" }
    public var report: String { folder + "/" + RunFolder.reportFile }
    public var checkpoints: CheckpointStore { CheckpointStore(outputFolder: folder) }

    /// Stands near the beginning of every page that this program makes.
    public static let pageMark = "<meta name=\"generator\" content=\"ddp-train\">"

    /// Whether a file is a page that this program has made, which may be replaced; another one is its owner's.
    public static func isPage(_ path: String) -> Bool {
        guard let file = try? MappedFile(path: path) else { return false }
        return String(decoding: file.bytes.prefix(1000), as: UTF8.self).contains(pageMark)
    }

    /// Whether there is what a run begins by writing.
    public var isRun: Bool {
        FileSystem.kind(of: metrics) == .file || FileSystem.kind(of: configuration) == .file
            || FileSystem.kind(of: checkpoints.folder) == .folder
    }

    /// Whether a process is at work in the folder, as far as its lock tells.
    public var isHeld: Bool { RunFolder.isHeld(folder) }

    public func sample(iteration: Int) -> String { "\(samples)/\(CheckpointStore.name(iteration: iteration)).txt" }

    /// Iterations that a sample was written at, rising.
    public var sampleIterations: [Int] {
        ((try? FileSystem.names(inFolder: samples)) ?? []).compactMap { name in
            name.hasSuffix(".txt") ? CheckpointStore.iteration(ofName: String(name.dropLast(4))) : nil
        }
    }
}
