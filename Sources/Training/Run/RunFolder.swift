import Platform

/// The folder that a run writes to, held by one process at a time.
///
/// A run that is to be replaced moves to the hidden folder `.replaced` and goes only when the new one has its first
/// checkpoint. A run that ends before that, or that was killed, gives the old one its place back.
final class RunFolder {
    let path: String
    let files: RunFiles
    private let lock: FolderLock
    private var replaced: Bool

    private static let replacedName = ".replaced"

    var checkpoints: CheckpointStore { files.checkpoints }
    private var replacedPath: String { path + "/" + Self.replacedName }

    /// - Throws: `UserError(.usage)` when another run is there and may not be replaced, or when another process holds the
    ///   folder; `UserError(.inputOutput)` when it cannot be written.
    init(newRunIn path: String, overwrite: Bool) throws {
        (self.path, lock, files, replaced) = try Self.open(path)
        try recover()
        guard let present = Self.firstContent(of: path) else { return }
        guard overwrite else {
            let iteration = try checkpoints.iterations().first
            let what = iteration.map { "a run at iteration \($0)" } ?? "a run without a checkpoint (\(present))"
            let resume = iteration == nil ? "" : "continue it with --init_from=resume, "
            throw UserError(
                .usage,
                "\(path) holds \(what): \(resume)replace it with --overwrite, or choose another --out_dir"
            )
        }
        try FileSystem.createFolder(replacedPath)
        replaced = true
        try move(from: path, to: replacedPath)
    }

    /// - Throws: `UserError(.inputOutput)` when there is no run, `UserError(.usage)` when another process holds the folder.
    init(resumingIn path: String) throws {
        try RunFiles(folder: path).checkResume()
        (self.path, lock, files, replaced) = try Self.open(path)
        try recover()
        try checkpoints.removeLeftovers()
    }

    /// Whether there is a run, or one that was being replaced.
    static func holdsRun(_ path: String) -> Bool {
        firstContent(of: path) != nil || FileSystem.kind(of: path + "/" + replacedName) != nil
    }

    /// A report is no run by itself: the page may have been made for another folder.
    private static func firstContent(of path: String) -> String? {
        present(in: path).first { $0 != .report }?.rawValue
    }

    /// What is there of a run. Anything else in the folder is the user's and stays.
    private static func present(in path: String) -> [RunFiles.Name] {
        let files = RunFiles(folder: path)
        return RunFiles.Name.allCases.filter { name in
            name == .report ? RunFiles.isPage(files.report) : FileSystem.kind(of: files.path(name)) != nil
        }
    }

    deinit {
        // The new run ended without a checkpoint.
        if replaced { try? restore() }
    }

    private static func open(_ path: String) throws -> (String, FolderLock, RunFiles, Bool) {
        try FileSystem.createFolder(path)
        return (path, try FolderLock(path), RunFiles(folder: path), false)
    }

    func writeConfiguration(_ text: String) throws {
        try AtomicFile.write(text, to: files.configuration)
    }

    /// To be told after each save: there is something to go back to, so a replaced run is no longer needed.
    func checkpointSaved() throws {
        guard replaced else { return }
        replaced = false
        try FileSystem.remove(replacedPath)
    }

    /// Sets right what a killed process left.
    private func recover() throws {
        guard FileSystem.kind(of: replacedPath) != nil else { return }
        if FileSystem.kind(of: checkpoints.folder + "/latest") != nil {
            try FileSystem.remove(replacedPath)
        } else {
            try restore()
        }
    }

    private func restore() throws {
        for name in Self.present(in: replacedPath) {
            try FileSystem.remove(files.path(name))
        }
        try move(from: replacedPath, to: path)
        try FileSystem.remove(replacedPath)
    }

    private func move(from source: String, to target: String) throws {
        for name in Self.present(in: source) {
            try FileSystem.rename(source + "/" + name.rawValue, to: target + "/" + name.rawValue)
        }
        try FileSystem.synchronizeFolder(target)
    }
}

extension RunFiles {
    /// Whether a process is at work in the folder, as far as its lock tells.
    public var isHeld: Bool { FolderLock.isHeld(folder) }
}
