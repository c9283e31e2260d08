import Formats
import Platform

/// Fetches public files with the curl program, and keeps them.
///
/// A transfer that stalls or is cut off is continued by range where it stopped, as long as it gets on; so is one that an earlier
/// run began. A server that knows no ranges sends the file from its start again.
struct Download {
    /// How curl is run, so that tests can do without a network and without waiting.
    struct Tool: Sendable {
        var program = "curl"
        var protocols = "=https,file"
        /// Seconds with less than 1000 bytes a second after which a transfer has stalled.
        var stallSeconds = 30
        /// Transfers in a row that may bring nothing new.
        var maximumFailures = 3
        /// Seconds before the next transfer.
        var pause: UInt32 = 2
    }

    let file: PublicFile
    let cacheFolder: String
    var tool = Tool()

    private var path: String { cacheFolder + "/" + file.cachePath }
    private var partialPath: String { path + ".part" }
    /// Where the hash is kept that was asked for.
    private var hashPath: String { path + ".sha256" }
    private var fix: String { "put the file at \(path), or name it with \(file.option) PATH" }

    /// What is still to be downloaded.
    var missingBytes: Int {
        guard FileSystem.kind(of: path) == nil else { return 0 }
        return max(0, file.byteCount - ((try? FileSystem.size(ofFile: partialPath)) ?? 0))
    }

    /// The path of the file: of a copy that the user names, else in the cache, else downloaded into it.
    ///
    /// - Parameters:
    ///   - copy: a file to use instead; it must have the right hash too.
    ///   - progress: called with the bytes that have arrived.
    /// - Throws: `UserError(.data)` when a file has another hash, `UserError(.inputOutput)` when it cannot be downloaded.
    func locate(copy: String? = nil, progress: (_ bytes: Int) -> Void) throws -> String {
        if let copy {
            try check(copy, fix: "another text is prepared with --input \(copy) --name NAME")
            return copy
        }
        if try isCached() { return path }
        try FileSystem.createFolder(FileSystem.folder(of: path))
        // Two processes would write to the same file; the second finds what the first has fetched. Where a folder cannot be
        // locked, they are not kept apart.
        let lock = open(FileSystem.folder(of: path), O_RDONLY | O_CLOEXEC)
        defer { if lock >= 0 { close(lock) } }
        while lock >= 0, flock(lock, LOCK_EX) != 0, errno == EINTR {}
        if try isCached() { return path }
        try fetch(try expectation(), progress: progress)
        return path
    }

    /// - Throws: `UserError(.data)` when what is there has another hash.
    private func isCached() throws -> Bool {
        guard FileSystem.kind(of: path) != nil else { return false }
        try check(path, fix: "remove it, and it will be downloaded")
        return true
    }

    private struct Expectation {
        var sha256: String
        var byteCount: Int
    }

    /// A file whose hash is not known here, and was not asked for when it was downloaded, is taken as it is.
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
            throw UserError(.data, "\(file.pointerURL) does not say which hash \(file.title) has; \(fix)")
        }
        return keptHash
    }

    // MARK: - Transfers

    private var partialSize: Int { (try? FileSystem.size(ofFile: partialPath)) ?? 0 }

    private func fetch(_ expected: Expectation, progress: (Int) -> Void) throws {
        // What an earlier run left may be of another file, or longer than this one.
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

    /// Transfers until all bytes are there.
    private func complete(_ expected: Expectation, progress: (Int) -> Void) throws {
        if partialSize > expected.byteCount { try FileSystem.remove(partialPath) }
        var failures = 0
        while partialSize != expected.byteCount {
            let before = partialSize
            do {
                // A day, or a slow line's time; what stalls ends sooner.
                try transfer(file.url, to: partialPath, limit: max(86_400, expected.byteCount / 20_000)) {
                    progress(partialSize)
                }
                // All that the server has, whatever was expected: its hash will tell.
                return
            } catch let error as TransferError {
                // The server has no ranges, or a file that is shorter than what is here.
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

    /// Why curl ended.
    private struct TransferError: Error {
        let status: Int32
        let described: UserError
        let httpStatus: Int?

        /// 33: the server sent no range; 416: there is none from there on; 36: curl cannot go on from there.
        var refusesRange: Bool { status == 33 || status == 36 || httpStatus == 416 }

        /// A cut, a stall, a server that is busy: it may go better another time.
        var isTransient: Bool {
            if refusesRange { return true }
            if status == 22 { return httpStatus.map { $0 >= 500 || $0 == 408 || $0 == 429 } ?? false }
            // Partial file, timeout, nothing received, failures of sending and receiving, HTTP/2.
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
            // curl ends by itself at its own limit; the second one is for a curl that hangs.
            outcome = try ChildProcess.run(arguments, timeout: limit + 10, meanwhile: meanwhile)
        } catch let error as UserError {
            throw UserError(.other, "cannot download \(url): \(error.message); install curl, or \(fix)")
        }
        guard outcome.status != 0 else { return }
        let reason = outcome.errorText.split(separator: "\n").first.map(String.init) ?? "exit code \(outcome.status)"
        // `curl: (22) The requested URL returned error: 416`, with words after the number or not.
        let number = reason.split(separator: "error: ").last?.prefix { $0.isNumber }
        let described = UserError(.inputOutput, "cannot download \(url): \(reason); \(fix)")
        // The disk, and no server, is to blame.
        if outcome.status == 23 { throw described }
        throw TransferError(status: outcome.status, described: described, httpStatus: number.flatMap { Int($0) })
    }
}
