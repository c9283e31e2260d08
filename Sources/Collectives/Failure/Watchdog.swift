import Platform

/// What a rank says and does when the job goes wrong. All is called on the control thread, `announce` and `leave` once, one after
/// the other, or `leaveStopped` once.
///
/// Other threads may be blocked for good, with any lock held, so none of these may wait for one.
public struct Watchdog: Sendable {
    /// Says what failed. It comes first of all: under mpirun the survivors of a killed rank have a second to live.
    let announce: @Sendable (Failure) -> Void
    /// Ends the process with this exit code, when all that can be told have been told.
    let leave: @Sendable (Failure, Int32) -> Void
    /// Ends the process after a request to stop that came before training began.
    let leaveStopped: @Sendable () -> Void
    /// Says that this rank stands still, and at what.
    let note: @Sendable (String) -> Void

    /// The exit code when a peer was lost or the network failed; `UserError.Kind.network` has the same for the program.
    public static let peerLost: Int32 = 69

    /// What announces a failure, and what leaves with an exit code; see the type for what they may not do.
    public init(
        announce: @escaping @Sendable (Failure) -> Void,
        leave: @escaping @Sendable (Failure, Int32) -> Void,
        leaveStopped: @escaping @Sendable () -> Void,
        note: @escaping @Sendable (String) -> Void
    ) {
        self.announce = announce
        self.leave = leave
        self.leaveStopped = leaveStopped
        self.note = note
    }

    /// Writes `ddp-train: error: rank 2 (node7): its connection closed` to standard error and leaves the process at
    /// once.
    ///
    /// - Parameters:
    ///   - saysStop: whether it says that it leaves because of a request to stop.
    ///   - note: takes a line that is not the last one.
    ///   - beforeLast: called before a last line is written, so that it comes after all others. It may wait a moment.
    ///   - exit: tests put something else than `_exit`.
    public static func ofProgram(
        name: String = "ddp-train",
        standardError: Int32 = 2,
        saysStop: Bool = true,
        note: @escaping @Sendable (String) -> Void = { _ in },
        beforeLast: @escaping @Sendable () -> Void = {},
        exit: @escaping @Sendable (Int32) -> Void = { _exit($0) }
    ) -> Watchdog {
        Watchdog { failure in
            beforeLast()
            write(Array("\(name): error: \(failure.bounded)\n".utf8), to: standardError)
        } leave: { _, code in
            exit(code)
        } leaveStopped: {
            beforeLast()
            if saysStop { write(Array("\(name): \(EndingSignals.nothingToSave)\n".utf8), to: standardError) }
            exit(ExitStatus.stopped)
        } note: { line in
            note("\(name): \(line)")
        }
    }

    /// Past the streams of libc, whose locks another thread may hold, and without waiting for a reader that has
    /// stopped.
    private static func write(_ line: [UInt8], to descriptor: Int32) {
        _ = FileSystem.write(line, to: descriptor, patience: .milliseconds(200))
    }
}
