import Platform

/// What a rank does when the job has failed. Both are called once, one after the other, on the control thread.
///
/// Other threads may be blocked for good, with any lock held, so neither may wait for one.
public struct Watchdog: Sendable {
    /// Says what failed. It comes first of all: under mpirun the survivors of a killed rank have a second to live.
    let announce: @Sendable (Failure) -> Void
    /// Ends the process with this exit code, when all that can be told have been told.
    let leave: @Sendable (Failure, Int32) -> Void

    /// The exit code when a peer was lost or the network failed; `UserError.Kind.network` has the same for the program.
    public static let peerLost: Int32 = 69

    /// What announces a failure, and what leaves with an exit code; see the type for what they may not do.
    public init(
        announce: @escaping @Sendable (Failure) -> Void,
        leave: @escaping @Sendable (Failure, Int32) -> Void
    ) {
        self.announce = announce
        self.leave = leave
    }

    /// Writes `ddp-train: error: rank 2 (node7): its connection closed` to standard error and leaves the process at
    /// once.
    ///
    /// - Parameter exit: tests put something else than `_exit`.
    public static func ofProgram(
        name: String = "ddp-train",
        standardError: Int32 = 2,
        exit: @escaping @Sendable (Int32) -> Void = { _exit($0) }
    ) -> Watchdog {
        Watchdog { failure in
            write(Array("\(name): error: \(failure.bounded)\n".utf8), to: standardError)
        } leave: { _, code in
            exit(code)
        }
    }

    /// Past the streams of libc, whose locks another thread may hold, and without waiting for a reader that has
    /// stopped.
    private static func write(_ line: [UInt8], to descriptor: Int32) {
        var done = 0
        while done < line.count {
            var target = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&target, 1, 200) > 0 else { return }
            let count = line[done...].withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                done += count
            } else if errno != EINTR && errno != EAGAIN {
                return
            }
        }
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
