import Formats
import Platform

/// Downloads a public file with the curl program and keeps it in the cache folder.
///
/// A transfer that stalls or breaks off is retried as long as it makes progress. Retries, and downloads that an earlier
/// run started, continue where the partial file ends. If the server does not support ranges, the file is downloaded
/// from its start.
struct Download {
    /// The parameters of curl. Tests change them to run without a network and without waiting.
    struct Tool: Sendable {
        var program = "curl"
        var protocols = "=https,file"
        /// A transfer has stalled after this number of seconds at less than 1000 bytes per second.
        var stallSeconds = 30
        /// The number of consecutive transfers without new bytes after which the download fails.
        var maximumFailures = 3
        /// The number of seconds before the next attempt.
        var pause: UInt32 = 2
    }

    let file: PublicFile
    let cacheFolder: String
    var tool = Tool()

    private var path: String { cacheFolder + "/" + file.cachePath }
    private var partialPath: String { path + ".part" }
    /// The file with the hash that the publisher stated.
    private var hashPath: String { path + ".sha256" }
    private var fix: String { "put the file at \(path) or pass its path with \(file.option) PATH" }

    /// The number of bytes that still have to be downloaded.
    var missingBytes: Int {
        guard FileSystem.kind(of: path) == nil else { return 0 }
        return max(0, file.byteCount - ((try? FileSystem.size(ofFile: partialPath)) ?? 0))
    }

    /// Returns the path of the file: `copy` if it is not nil, else the file in the cache folder, which is downloaded if
    /// it does not exist.
    ///
    /// - Parameters:
    ///   - copy: A file to use instead of a download. It must have the same hash.
    ///   - progress: Called with the number of bytes downloaded so far.
    /// - Throws: `UserError(.data)` if the file has another hash, `UserError(.inputOutput)` if it cannot be downloaded.
    func locate(copy: String? = nil, progress: (_ bytes: Int) -> Void) throws -> String {
        if let copy {
            try check(copy, fix: "to prepare another text, use --input \(copy) --name NAME")
            return copy
        }
        if try isCached() { return path }
        try FileSystem.createFolder(FileSystem.folder(of: path))
        // The lock keeps two processes from writing to the same file. The second process then finds the complete file.
        // On file systems without locks, both processes download.
        let lock = open(FileSystem.folder(of: path), O_RDONLY | O_CLOEXEC)
        defer { if lock >= 0 { close(lock) } }
        while lock >= 0, flock(lock, LOCK_EX | LOCK_NB) != 0, errno == EINTR || errno == EWOULDBLOCK {
            progress(partialSize)
            usleep(100_000)
        }
        if try isCached() { return path }
        try fetch(try expectation(), progress: progress)
        return path
    }

    /// - Throws: `UserError(.data)` if the file in the cache folder has another hash.
    private func isCached() throws -> Bool {
        guard FileSystem.kind(of: path) != nil else { return false }
        try check(path, fix: "remove the file to download it again")
        return true
    }

    private struct Expectation {
        var sha256: String
        var byteCount: Int
    }

    /// Compares the hash of a file with the expected one. Accepts any file if there is no expected hash, which is the
    /// case if the user put the file in the cache folder and its hash is not built in.
    private func check(_ path: String, fix: String) throws {
        guard let expected = file.sha256 ?? keptHash?.sha256 else { return }
        let hash = try Checksum.sha256(ofFile: path)
        guard hash == expected else {
            throw UserError(
                .data,
                "\(path) is not \(file.title): its sha256 is \(hash), expected \(expected); \(fix)"
            )
        }
    }

    private var keptHash: Expectation? {
        guard let bytes = try? FileSystem.read(hashPath, limit: 4096) else { return nil }
        return PublicFile.pointer(String(decoding: bytes, as: UTF8.self)).map {
            .init(sha256: $0.sha256, byteCount: $0.byteCount)
        }
    }

    private func expectation() throws -> Expectation {
        if let hash = file.sha256 { return Expectation(sha256: hash, byteCount: file.byteCount) }
        if let keptHash { return keptHash }
        do {
            try transfer(file.pointerURL, to: hashPath, limit: 120) {}
        } catch let error as TransferError {
            throw error.described
        }
        guard let keptHash else {
            try FileSystem.remove(hashPath)
            throw UserError(.data, "\(file.pointerURL) does not contain the hash of \(file.title); \(fix)")
        }
        return keptHash
    }

    // MARK: - Transfers

    private var partialSize: Int { (try? FileSystem.size(ofFile: partialPath)) ?? 0 }

    private func fetch(_ expected: Expectation, progress: (Int) -> Void) throws {
        // A partial file of an earlier run may belong to an older version of the file, or be too long.
        var mayBeStale = FileSystem.kind(of: partialPath) != nil
        while true {
            try complete(expected, progress: progress)
            let hash = try Checksum.sha256(ofFile: partialPath)
            if hash == expected.sha256 { return try FileSystem.rename(partialPath, to: path) }
            try FileSystem.remove(partialPath)
            guard mayBeStale else {
                throw UserError(
                    .data,
                    "\(file.url) is not \(file.title): its sha256 is \(hash), expected \(expected.sha256); \(fix)"
                )
            }
            mayBeStale = false
        }
    }

    /// Repeats transfers until the partial file is complete.
    private func complete(_ expected: Expectation, progress: (Int) -> Void) throws {
        if partialSize > expected.byteCount { try FileSystem.remove(partialPath) }
        var failures = 0
        while partialSize != expected.byteCount {
            let before = partialSize
            do {
                // The limit is a day, or the time at 20 kB/s if that is longer. Stalled transfers end sooner.
                try transfer(file.url, to: partialPath, limit: max(86_400, expected.byteCount / 20_000)) {
                    progress(partialSize)
                }
                // The server sent its whole file, which may have another size. The caller checks the hash.
                return
            } catch let error as TransferError {
                // The server does not support ranges, or its file is shorter than the partial file.
                if error.refusesRange, before > 0 {
                    try FileSystem.remove(partialPath)
                    failures += 1
                } else {
                    failures = partialSize > before ? 0 : failures + 1
                }
                guard error.isTransient, failures < tool.maximumFailures else { throw error.described }
                progress(partialSize)
                sleep(tool.pause)
            }
        }
    }

    /// The reason why curl failed.
    private struct TransferError: Error {
        let status: Int32
        let described: UserError
        let httpStatus: Int?

        /// curl's exit code 33: the server does not support ranges. 36: curl cannot resume. HTTP status 416: the range
        /// is beyond the end of the file.
        var refusesRange: Bool { status == 33 || status == 36 || httpStatus == 416 }

        /// Whether a later attempt may succeed: the connection broke or stalled, or the server is busy.
        var isTransient: Bool {
            if refusesRange { return true }
            if status == 22 { return httpStatus.map { $0 >= 500 || $0 == 408 || $0 == 429 } ?? false }
            // curl's exit codes for a partial file, a timeout, an empty reply, failures to send or receive, and HTTP/2
            // errors.
            return [18, 28, 52, 55, 56, 92].contains(status)
        }
    }

    private func transfer(_ url: String, to target: String, limit: Int, meanwhile: () -> Void) throws {
        let arguments = [
            tool.program, "--fail", "--location", "--silent", "--show-error", "--proto", tool.protocols,
            "--connect-timeout", "15", "--speed-limit", "1000", "--speed-time", String(tool.stallSeconds),
            "--max-time", String(limit), "--continue-at", "-", "--output", target, url,
        ]
        let outcome: ChildProcess.Outcome
        do {
            // curl exits at its own time limit. The longer timeout is for a curl process that hangs.
            outcome = try ChildProcess.run(arguments, timeout: limit + 10, meanwhile: meanwhile)
        } catch let error as UserError {
            throw UserError(.other, "cannot download \(url): \(error.message); install curl, or \(fix)")
        }
        guard outcome.status != 0 else { return }
        let reason = outcome.errorText.split(separator: "\n").first.map(String.init) ?? "exit code \(outcome.status)"
        // The message is `curl: (22) The requested URL returned error: 416`, sometimes with words after the number.
        let number = reason.split(separator: "error: ").last?.prefix { $0.isNumber }
        let described = UserError(.inputOutput, "cannot download \(url): \(reason); \(fix)")
        // 23: curl cannot write to the disk. A retry does not help.
        if outcome.status == 23 { throw described }
        throw TransferError(status: outcome.status, described: described, httpStatus: number.flatMap { Int($0) })
    }
}
