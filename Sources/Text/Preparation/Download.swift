import Formats

/// Fetches public files with the curl program, and keeps them.
struct Download {
    let file: PublicFile
    let cacheFolder: String
    /// The program and what it may take, so that tests can do without a network.
    var program = "curl"
    var timeout = 600

    private var path: String { cacheFolder + "/" + file.cachePath }
    private var partialPath: String { path + ".part" }

    /// The path of the file: of a copy that the user names, else in the cache, else downloaded into it.
    ///
    /// A download that broke off is continued by the next.
    /// - Parameters:
    ///   - copy: a file to use instead; it must have the right hash too.
    ///   - progress: called with the bytes that have arrived.
    /// - Throws: `UserError(.data)` when a file has another hash, `UserError(.inputOutput)` when it cannot be downloaded.
    func locate(copy: String? = nil, progress: (_ bytes: Int) -> Void) throws -> String {
        if let copy {
            let hash = try Checksum.sha256(ofFile: copy)
            guard hash == file.sha256 else {
                throw UserError(
                    .data,
                    """
                    \(copy) is not \(file.title): its sha256 is \(hash), expected \(file.sha256); \
                    another text is prepared with --input \(copy) --name NAME
                    """
                )
            }
            return copy
        }
        if FileSystem.kind(of: path) != nil {
            let hash = try Checksum.sha256(ofFile: path)
            guard hash == file.sha256 else {
                throw UserError(
                    .data,
                    """
                    \(path) is not \(file.title): its sha256 is \(hash), expected \(file.sha256); \
                    remove it, and it will be downloaded
                    """
                )
            }
            return path
        }
        try fetch(progress: progress)
        return path
    }

    private func fetch(progress: (Int) -> Void) throws {
        try FileSystem.createFolder(FileSystem.folder(of: path))
        let isContinued = FileSystem.kind(of: partialPath) != nil
        do {
            try fetchOnce(progress: progress)
        } catch let error as UserError where isContinued && error.kind != .other {
            // What was there may be whole, longer than the file, or of another one: curl cannot continue it.
            try FileSystem.remove(partialPath)
            try fetchOnce(progress: progress)
        }
        try FileSystem.rename(partialPath, to: path)
    }

    private func fetchOnce(progress: (Int) -> Void) throws {
        let arguments = [
            program, "--fail", "--location", "--silent", "--show-error", "--proto", "=https,file", "--retry", "2",
            "--connect-timeout", "15", "--speed-limit", "1000", "--speed-time", "30", "--max-time", String(timeout),
            "--continue-at", "-", "--output", partialPath, file.url,
        ]
        let mend = "put the file at \(path), or name it with \(file.option) PATH"
        let outcome: ChildProcess.Outcome
        do {
            // curl ends by itself at its own limit; the second one is for a curl that hangs.
            outcome = try ChildProcess.run(arguments, timeout: timeout + 10) {
                progress((try? FileSystem.size(ofFile: partialPath)) ?? 0)
            }
        } catch let error as UserError {
            throw UserError(.other, "cannot download \(file.url): \(error.message); install curl, or \(mend)")
        }
        guard outcome.status == 0 else {
            let reason =
                outcome.errorText.split(separator: "\n").first.map(String.init) ?? "exit code \(outcome.status)"
            throw UserError(.inputOutput, "cannot download \(file.url): \(reason); \(mend)")
        }
        let hash = try Checksum.sha256(ofFile: partialPath)
        guard hash == file.sha256 else {
            try FileSystem.remove(partialPath)
            throw UserError(
                .data,
                "\(file.url) is not \(file.title): its sha256 is \(hash), expected \(file.sha256); \(mend)"
            )
        }
    }
}
