import Platform

/// A running rank, and what it writes.
final class RankProcess {
    /// Which of the launcher's own streams something goes to.
    enum Target: Int, CaseIterable { case output, errors }

    /// One of the rank's two streams.
    struct Stream {
        let target: Target
        /// Does not wait when it is read. -1 when it is at its end.
        var descriptor: Int32
        var lines: LineBuffer
        var isOpen: Bool { descriptor >= 0 }
    }

    let rank: Int
    let process: ChildProcess
    var streams: [Stream] = []
    private(set) var end: ChildProcess.End?
    /// Whether the launcher has lost patience with it: then its end is no cause of anything.
    private(set) var wasEnded = false

    /// - Parameter given: what the rank has as its descriptors from 3 on.
    /// - Throws: `UserError` when it cannot be started.
    init(rank: Int, job: Job, arguments: [String], environment: RankEnvironment, given: [Int32: Int32]) throws {
        self.rank = rank
        var descriptors = given
        var opened: [Int32] = []
        defer { opened.forEach { close($0) } }
        do {
            for target in Target.allCases {
                let (readEnd, writeEnd) = try ChildProcess.makePipe(to: "rank \(rank)")
                opened.append(writeEnd)
                Descriptor.makeNonBlocking(readEnd)
                // What scripts read are the results, which only rank 0 prints.
                let isPlain = rank == 0 && target == .output || job.rankCount == 1
                let lines = LineBuffer(prefix: isPlain ? "" : "[rank \(rank)] ")
                streams.append(Stream(target: target, descriptor: readEnd, lines: lines))
                opened.append(try Descriptor.moved(writeEnd))
                descriptors[target == .output ? STDOUT_FILENO : STDERR_FILENO] = opened.last!
            }
            process = try ChildProcess(
                [job.executable] + arguments,
                executable: job.executable,
                environment: environment.variables(rank: rank, of: job.rankCount, over: job.environment),
                descriptors: descriptors,
                inOwnGroup: true
            )
        } catch {
            for stream in streams { close(stream.descriptor) }
            throw error
        }
    }

    var isRunning: Bool { end == nil }

    func send(_ signal: Int32) {
        if isRunning { kill(process.id, signal) }
    }

    /// Asks it to end, for the launcher's own reasons.
    func terminate() {
        guard isRunning else { return }
        wasEnded = true
        kill(process.id, SIGTERM)
    }

    /// Ends it and what it started.
    func killGroup() {
        guard isRunning else { return }
        wasEnded = true
        kill(-process.id, SIGKILL)
    }

    /// Takes note when it has ended; what it started goes with it.
    ///
    /// - Returns: whether that is so since the last call.
    func hasJustEnded() -> Bool {
        guard isRunning, process.hasEnded else { return false }
        // Before it is waited for: then its number may become another's.
        kill(-process.id, SIGKILL)
        end = process.wait()
        return true
    }

    /// Reads once.
    ///
    /// - Returns: whether anything came, the stream's end among it.
    func read(_ index: Int, into buffer: inout [UInt8], emit: (ArraySlice<UInt8>) -> Void) -> Bool {
        let count = systemRead(streams[index].descriptor, &buffer, buffer.count)
        if count > 0 {
            streams[index].lines.take(buffer[..<count], emit: emit)
        } else if count == 0 || errno != EINTR && errno != EAGAIN {
            finish(index, emit: emit)
        } else {
            return false
        }
        return true
    }

    func finish(_ index: Int, emit: (ArraySlice<UInt8>) -> Void) {
        guard streams[index].isOpen else { return }
        streams[index].lines.finish(emit: emit)
        close(streams[index].descriptor)
        streams[index].descriptor = -1
    }
}

/// The system's `read`, which the method of the same name hides.
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}
