/// Writes what a process says to its standard streams on a thread of its own, so that nobody waits for a reader who has stopped:
/// a terminal after Ctrl-S, a pager that is not scrolled.
///
/// What is read at once comes in the order in which it was said, on both streams. What is not read waits in memory, up to a limit;
/// see `OutputLines`.
///
/// ```swift
/// let writer = OutputWriter()
/// writer.put("iter 0: …\n", to: .output)
/// writer.drain()
/// ```
/// A process that ends does not wait for the thread.
public final class OutputWriter: Sendable {
    /// Standard output or standard error.
    public enum Stream: Int, CaseIterable, Sendable { case output, errors }

    /// How long a reader may take nothing before the end of the process no longer waits for it.
    public static let patience = Duration.seconds(2)

    private let state: State

    /// - Parameters:
    ///   - output: descriptor of `output`; it stays open.
    ///   - errors: that of `errors`.
    ///   - limit: bytes that wait at most for each of them.
    public init(output: Int32 = STDOUT_FILENO, errors: Int32 = STDERR_FILENO, limit: Int = 1 << 20) {
        let state = State(descriptors: [output, errors], limit: limit)
        self.state = state
        // It is not joined: it may stand in a write for good.
        _ = SystemThread(blocking: .all) { state.work() }
    }

    deinit { state.end() }

    /// Adds whole lines, from any thread, and does not wait.
    ///
    /// - Parameter isReplaceable: whether they only show a state, which the next such text replaces if nobody has read it yet.
    public func put(_ text: String, to stream: Stream, isReplaceable: Bool = false) {
        state.put(Array(text.utf8), to: stream, isReplaceable: isReplaceable)
    }

    /// Waits until all is written.
    ///
    /// - Parameter patience: how long to wait for a reader that takes nothing.
    /// - Returns: false where something is left.
    @discardableResult
    public func drain(patience: Duration = OutputWriter.patience) -> Bool {
        var (left, seen) = state.progress
        var deadline = ContinuousClock.now + patience
        while left > 0 {
            usleep(500)
            let now = state.progress
            if now.taken != seen {
                deadline = .now + patience
            } else if ContinuousClock.now >= deadline {
                return false
            }
            (left, seen) = now
        }
        return true
    }
}

/// What an output writer and its thread share.
private final class State: @unchecked Sendable {
    // Guarded by the monitor.
    private let monitor = Monitor()
    private var lines: [OutputLines]
    private var count = 0
    /// Counts what readers have taken.
    private var taken = 0
    /// Of the last text, if it was replaceable.
    private var replaceable: OutputWriter.Stream?
    private var isEnding = false

    private let descriptors: [Int32]

    init(descriptors: [Int32], limit: Int) {
        self.descriptors = descriptors
        lines = descriptors.map { _ in OutputLines(limit: limit) }
    }

    func put(_ bytes: [UInt8], to stream: OutputWriter.Stream, isReplaceable: Bool) {
        monitor.locked {
            lines[stream.rawValue].append(
                bytes,
                number: count,
                isReplaceable: isReplaceable,
                replacing: isReplaceable && replaceable == stream
            )
            count += 1
            replaceable = isReplaceable ? stream : nil
            noteUnwritten()
            monitor.wake()
        }
    }

    var progress: (left: Int, taken: Int) {
        monitor.locked { (lines.reduce(0) { $0 + $1.byteCount }, taken) }
    }

    func end() {
        monitor.locked {
            isEnding = true
            monitor.wake()
        }
    }

    private func noteUnwritten() { EndingSignals.noteUnwritten(lines.reduce(0) { $0 + $1.byteCount }) }

    // MARK: On the thread

    func work() {
        while let index = nextReady() {
            let bytes = monitor.locked {
                // What was said to the other stream later must not come before it.
                let other = lines[1 - index].firstNumber.flatMap { $0 > lines[index].firstNumber ?? 0 ? $0 : nil }
                return lines[index].next(before: other)
            }
            let written = bytes.withUnsafeBytes { write(descriptors[index], $0.baseAddress, $0.count) }
            let mayPass = written < 0 && (errno == EINTR || errno == EAGAIN)
            monitor.locked {
                if written >= 0 {
                    lines[index].wrote(written)
                    taken += written
                } else if !mayPass {
                    // A run does not end because what it says cannot be written.
                    lines[index].failed()
                }
                noteUnwritten()
            }
        }
    }

    /// Waits until something can be written to one of the streams, that with the oldest line if it is ready too.
    ///
    /// - Returns: nil at the end.
    private func nextReady() -> Int? {
        while true {
            let (waiting, isEnding) = monitor.locked {
                while lines.allSatisfy(\.isEmpty), !self.isEnding { monitor.wait() }
                let waiting = lines.indices.filter { !lines[$0].isEmpty }
                return (waiting.sorted { lines[$0].firstNumber! < lines[$1].firstNumber! }, self.isEnding)
            }
            guard let first = waiting.first else { return nil }
            if isReady([first], within: 0) != nil { return first }
            // Now and then a line comes for the other stream.
            if let ready = isReady(waiting, within: 20) {
                // Both may be one pipe, which a reader has emptied between the system's looks at the two.
                return isReady([first], within: 0) ?? ready
            }
            if isEnding { return nil }
        }
    }

    private func isReady(_ indices: [Int], within milliseconds: Int32) -> Int? {
        var targets = indices.map { pollfd(fd: descriptors[$0], events: Int16(POLLOUT), revents: 0) }
        guard poll(&targets, nfds_t(targets.count), milliseconds) > 0 else { return nil }
        return zip(indices, targets).first { $1.revents != 0 }?.0
    }
}
