import Platform
import Tokenizers
import Transformer

/// The checkpoints of one run: folders such as `step-00000250`, and the links `latest` and `best` to two of them.
///
/// A checkpoint is written under a temporary name, flushed to disk and renamed. After that the links move, each in one
/// step. So `latest` and `best` name whole checkpoints, whenever the process is killed.
public struct CheckpointStore: Sendable {
    /// The link to follow: `best` has the lowest validation loss, `latest` is the newest.
    public enum Which: String, Sendable, CaseIterable { case best, latest }

    /// `OUT_DIR/checkpoints`.
    public let folder: String
    private let files: RunFiles

    /// The store of the run in `out_dir`, which need not exist.
    public init(outputFolder: String) {
        files = RunFiles(folder: outputFolder)
        folder = files.path(.checkpoints)
    }

    // MARK: - Finding

    /// The iterations of all checkpoints, damaged ones included, newest first.
    public func iterations() throws -> [Int] {
        guard FileSystem.kind(of: folder) == .folder else { return [] }
        return try FileSystem.names(inFolder: folder).compactMap(CheckpointName.iteration(ofName:)).sorted(by: >)
    }

    /// The path of the checkpoint of an iteration, which need not exist.
    public func path(iteration: Int) -> String { folder + "/" + CheckpointName.name(iteration: iteration) }

    /// Opens the best checkpoint or the latest. A run that was stopped before its first evaluation has only the latest.
    ///
    /// - Throws: `UserError(.inputOutput)` when the run has no checkpoint, `UserError(.data)` when its state is
    ///   damaged.
    public func open(_ which: Which) throws -> Checkpoint {
        if which == .best, FileSystem.kind(of: folder + "/best") == nil { return try open(.latest) }
        // By the name that the link holds: what it names may be another one a moment later. A copy of a run may have
        // folders in place of the links.
        let path = folder + "/" + (target(of: which) ?? which.rawValue)
        guard FileSystem.kind(of: path) == .folder else {
            // A copied run may have missing or dangling links; treat both as no link.
            if which == .best { return try open(.latest) }
            if let newest = try iterations().first { return try Checkpoint(folder: self.path(iteration: newest)) }
            throw UserError(
                .inputOutput,
                "there is no checkpoint in \(folder): \(files.otherModelHint ?? "train first, or check --out_dir")"
            )
        }
        return try Checkpoint(folder: path)
    }

    /// Opens the newest checkpoint whose files all match their hashes.
    ///
    /// - Parameter skipped: called for each newer one that does not, with the reason.
    /// - Throws: `UserError(.inputOutput)` when there is no checkpoint at all, `UserError(.data)` when none is whole.
    public func newestWhole(skipped: (_ iteration: Int, _ reason: String) -> Void) throws -> Checkpoint {
        let iterations = try iterations()
        for iteration in iterations {
            do {
                return try Checkpoint(folder: path(iteration: iteration)).verify()
            } catch let error as UserError {
                skipped(iteration, error.message)
            }
        }
        guard iterations.isEmpty else { throw UserError(.data, "no checkpoint in \(folder) is whole") }
        throw UserError(.inputOutput, "nothing to resume: \(folder) has no checkpoint")
    }

    // MARK: - Saving

    /// Saves a checkpoint, then moves `latest` (and `best`).
    ///
    /// - Parameter progress: called now and then while files are written.
    /// - Throws: `UserError(.inputOutput)`; earlier checkpoints are then unchanged.
    @discardableResult
    func save(
        _ state: CheckpointState,
        _ values: CheckpointValues,
        tokenizer: (any Tokenizer)?,
        isBest: Bool,
        progress: () -> Void = {}
    ) throws -> Checkpoint {
        let name = CheckpointName.name(iteration: state.iteration)
        let target = try AtomicFolder(path: folder + "/" + name)
        try Checkpoint.write(state, values, tokenizer: tokenizer, into: target.temporaryPath, progress: progress)
        try target.commit(replacing: true)
        progress()
        if isBest { try link(.best, to: name) }
        try link(.latest, to: name)
        try FileSystem.synchronizeFolder(folder)
        progress()
        return try Checkpoint(folder: target.path)
    }

    /// Removes what a killed process left: folders that it was writing or removing.
    public func removeLeftovers() throws {
        guard FileSystem.kind(of: folder) == .folder else { return }
        for name in try FileSystem.names(inFolder: folder) where name.hasPrefix(".") {
            try FileSystem.remove(folder + "/" + name)
        }
    }

    /// Points the links to what a resume goes on from. A process may have been killed between saving a checkpoint and
    /// moving the links, and a copied run may have lost them; `prune` keeps only what they name.
    func restoreLinks(resuming checkpoint: Checkpoint) throws {
        let state = checkpoint.state
        try link(.latest, to: CheckpointName.name(iteration: state.iteration))
        guard let best = state.bestValidationLoss else { return }
        let isLinked = FileSystem.kind(of: folder + "/" + Which.best.rawValue) == .folder
        let candidates = isLinked ? [state.iteration] : try iterations()
        let holder = candidates.first { iteration in
            (try? Checkpoint(folder: path(iteration: iteration)))?.state.validationLoss == best
        }
        if let holder { try link(.best, to: CheckpointName.name(iteration: holder)) }
    }

    /// Removes old checkpoints.
    ///
    /// - Parameters:
    ///   - keep: how many of the newest stay, at least one; those that the links name stay too.
    ///   - iteration: that of the newest. Later ones were damaged and passed over by a resume: they do not count, and
    ///     are replaced when the run reaches them.
    func prune(keep: Int, upTo iteration: Int) throws {
        let linked = Set(Which.allCases.compactMap(target))
        let names = try iterations().filter { $0 <= iteration }.map { CheckpointName.name(iteration: $0) }
        for name in names.dropFirst(max(1, keep)) where !linked.contains(name) {
            // Under a hidden name first, so that a folder half removed is never taken for a checkpoint.
            let doomed = folder + "/.removed-" + name
            try FileSystem.rename(folder + "/" + name, to: doomed)
            try FileSystem.remove(doomed)
        }
    }

    /// The name that a link holds.
    private func target(of which: Which) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            let count = readlink(folder + "/" + which.rawValue, buffer.baseAddress!, buffer.count)
            guard count > 0 else { return nil }
            return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    private func link(_ which: Which, to name: String) throws {
        let path = folder + "/" + which.rawValue
        let temporary = folder + "/.link-" + which.rawValue
        try FileSystem.remove(temporary)
        guard symlink(name, temporary) == 0 else { throw FileSystem.failure("cannot link", path, errno) }
        if target(of: which) == nil { try FileSystem.remove(path) }
        try FileSystem.rename(temporary, to: path)
    }
}
