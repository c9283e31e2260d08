import Platform

/// What a path names that a user gives: a checkpoint, or the folder of a run.
public enum CheckpointPlace {
    case run(CheckpointStore)
    case checkpoint(Checkpoint)

    /// - Throws: `UserError(.inputOutput)` when there is neither at the path, `UserError(.data)` when the state is
    ///   damaged.
    public init(_ path: String) throws {
        if Checkpoint.isCheckpoint(path) {
            self = .checkpoint(try Checkpoint(folder: path))
            return
        }
        let store = CheckpointStore(outputFolder: path)
        guard FileSystem.kind(of: store.folder) == .folder else {
            throw UserError(.inputOutput, "\(path) is neither a run's folder with checkpoints nor a checkpoint")
        }
        self = .run(store)
    }

    /// The checkpoint itself, or one of the run.
    ///
    /// - Throws: `UserError(.inputOutput)` when the run has none, `UserError(.data)` when its state is damaged.
    public func checkpoint(_ which: CheckpointStore.Which) throws -> Checkpoint {
        switch self {
        case .run(let store): try store.open(which)
        case .checkpoint(let checkpoint): checkpoint
        }
    }

    /// The folders of all checkpoints, the oldest first.
    ///
    /// - Throws: `UserError(.inputOutput)` when the run's folder cannot be read.
    public func folders() throws -> [String] {
        switch self {
        case .run(let store): try store.iterations().reversed().map(store.path)
        case .checkpoint(let checkpoint): [checkpoint.folder]
        }
    }
}
