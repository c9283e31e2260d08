import Platform

/// A file for each rank with everything that it prints, beside what goes to the launcher's own streams.
///
/// A thread writes them, so that storage that hangs holds up neither ranks nor signals. Each start of the ranks appends: what an
/// earlier one left stays.
final class RankLogs: @unchecked Sendable {
    /// Bytes that may wait for the storage. What comes beyond them is dropped.
    private static let mostWaiting = 1 << 24

    private let paths: [String]
    private let descriptors: [Int32]
    private let monitor = Monitor()
    // The monitor guards what follows.
    private var waiting: [[UInt8]]
    private var waitingCount = 0
    /// Ranks whose file lacks lines since the last that was written.
    private var hasGap: [Bool]
    private var isWriting = false
    private var isEnding = false
    private var complaint: String?
    private var hasComplained = false

    /// Makes the folder where it is missing, and opens every file.
    ///
    /// - Throws: `UserError(.inputOutput)` that names what cannot be made or written.
    init(folder: String, rankCount: Int) throws {
        try FileSystem.createFolder(folder)
        // Standard streams, and for each rank two pipes.
        OpenFileLimit.raise(to: 3 * rankCount + 64)
        let width = String(rankCount - 1).count
        paths = (0..<rankCount).map { "\(folder)/rank-\(String($0).zeroPadded(to: width)).log" }
        var opened: [Int32] = []
        do {
            for path in paths {
                // Without waiting for somebody who reads, if it is a pipe.
                let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0o666)
                guard descriptor >= 0 else { throw FileSystem.failure("cannot write", path, errno) }
                opened.append(descriptor)
                _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
            }
        } catch {
            for descriptor in opened { close(descriptor) }
            throw error
        }
        descriptors = opened
        waiting = [[UInt8]](repeating: [], count: rankCount)
        hasGap = [Bool](repeating: false, count: rankCount)
        _ = SystemThread(blocking: .all) { self.writeUntilEnd() }
    }

    /// After `finish`, when the thread has ended.
    deinit { for descriptor in descriptors { close(descriptor) } }

    /// Adds whole lines of a rank.
    func append(_ bytes: ArraySlice<UInt8>, rank: Int) {
        monitor.locked {
            guard waitingCount < Self.mostWaiting else {
                hasGap[rank] = true
                return complain("\(paths[rank]) is written too slowly")
            }
            waiting[rank] += bytes
            waitingCount += bytes.count
            monitor.wake()
        }
    }

    /// Begins every file's part of a start.
    func mark(start: Int, _ reason: String) {
        for rank in paths.indices {
            let line = "launch: start \(start) at \(Self.now): rank \(rank) of \(paths.count)\(reason)\n"
            append(Array(line.utf8)[...], rank: rank)
        }
    }

    /// What a user should know, once.
    func takeComplaint() -> String? {
        monitor.locked {
            defer { complaint = nil }
            return complaint
        }
    }

    /// Waits for the storage, but no longer than `patience`. Nothing is added afterwards.
    func finish(within patience: Duration) {
        monitor.locked {
            isEnding = true
            monitor.wake()
        }
        let deadline = ContinuousClock.now + patience
        while monitor.locked({ waitingCount > 0 || isWriting }) {
            guard .now < deadline else {
                return monitor.locked { complain("\(paths[0]) and others are not written yet") }
            }
            usleep(2_000)
        }
    }

    // MARK: The thread

    private func writeUntilEnd() {
        while let (rank, bytes, followsGap) = next() {
            let gap = followsGap ? Array("\nlaunch: some lines are missing here\n".utf8) : []
            let code = (gap + bytes).withUnsafeBytes { FileSystem.write($0, to: descriptors[rank]) ? 0 : errno }
            monitor.locked {
                isWriting = false
                hasGap[rank] = hasGap[rank] || code != 0
                if code != 0 { complain("cannot write \(paths[rank]): \(errorText(code))") }
            }
        }
    }

    /// Waits for lines.
    ///
    /// - Returns: those of one rank; nil at the end.
    private func next() -> (rank: Int, bytes: [UInt8], followsGap: Bool)? {
        monitor.locked {
            while waitingCount == 0 {
                if isEnding { return nil }
                monitor.wait()
            }
            let rank = waiting.firstIndex { !$0.isEmpty }!
            defer {
                waitingCount -= waiting[rank].count
                waiting[rank] = []
                hasGap[rank] = false
                isWriting = true
            }
            return (rank, waiting[rank], hasGap[rank])
        }
    }

    /// Only while locked.
    private func complain(_ what: String) {
        guard !hasComplained else { return }
        hasComplained = true
        complaint = "\(what); the ranks go on, and lines are missing in the logs"
    }

    /// As in `2026-12-01 14:02:31 +0100`.
    private static var now: String {
        var seconds = time(nil)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, "%Y-%m-%d %H:%M:%S %z", &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
