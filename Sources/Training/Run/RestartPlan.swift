import Platform

/// How a run that failed is begun again by whoever started it: from its last checkpoint, or anew.
///
/// Made before the first start. What lies in the run's folder then is another run's, or that of an earlier resume, and
/// is never taken for what this one saved.
public struct RestartPlan: Sendable {
    /// Where a run begins again.
    public enum Beginning: Equatable, Sendable {
        /// The run has saved: with `--init_from=resume`.
        case checkpoint(iteration: Int)
        /// With the same options as at first, and `--overwrite` where the run has begun to write its folder.
        case first(overwriting: Bool)
    }

    private let checkpoints: CheckpointStore
    private let outDir: String
    private let latestAtFirst: FileIdentity?
    private var latestAtStart: FileIdentity?
    private let wasEmpty: Bool

    /// Looks at the folder now, which need not exist.
    public init(outDir: String) {
        self.outDir = outDir
        checkpoints = CheckpointStore(outputFolder: outDir)
        latestAtFirst = Self.latest(in: checkpoints)
        latestAtStart = latestAtFirst
        wasEmpty = !RunFolder.holdsRun(outDir)
    }

    /// Where a start that is made now would begin.
    public func beginning() -> Beginning {
        if let latest = Self.latest(in: checkpoints), latest != latestAtFirst,
            let iteration = try? checkpoints.iterations().first
        {
            return .checkpoint(iteration: iteration)
        }
        // A run that was there before is its owner's to give up.
        return .first(overwriting: wasEmpty && RunFolder.holdsRun(outDir))
    }

    /// Whether there is a checkpoint, of this run or of one before it.
    public var hasCheckpoint: Bool { Self.latest(in: checkpoints) != nil }

    /// To be called once before each further start.
    ///
    /// - Returns: whether a checkpoint was saved since the last one.
    public mutating func hasProgressed() -> Bool {
        let latest = Self.latest(in: checkpoints)
        defer { latestAtStart = latest }
        return latest != nil && latest != latestAtStart
    }

    private static func latest(in checkpoints: CheckpointStore) -> FileIdentity? {
        FileIdentity(path: checkpoints.folder + "/latest/" + Checkpoint.stateFile)
    }

    /// Tells a file from one that was written in its place.
    private struct FileIdentity: Equatable {
        let device: UInt64
        let number: UInt64
        let seconds: Int
        let nanoseconds: Int

        init?(path: String) {
            var information = stat()
            guard stat(path, &information) == 0 else { return nil }
            device = UInt64(truncatingIfNeeded: information.st_dev)
            number = UInt64(information.st_ino)
            seconds = Int(information.modificationTime.tv_sec)
            nanoseconds = Int(information.modificationTime.tv_nsec)
        }
    }
}
