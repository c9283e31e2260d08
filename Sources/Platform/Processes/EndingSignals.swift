import Synchronization

/// The signals that ask a process to end: SIGTERM, SIGINT, SIGUSR1, and SIGHUP unless it is ignored, as under nohup.
///
/// A launcher and its ranks often receive a signal together, and the launcher also passes it on. A further signal
/// therefore counts as a second request only if it arrives some time after the first. SIGUSR1 only makes a request and
/// never ends a process by itself.
///
/// Handlers receive the signals, not a thread in `sigwait`: OpenBLAS starts a thread before `main` that blocks no
/// signals.
public enum EndingSignals {
    /// The time after the first signal from which another signal is a second request, in nanoseconds. It is slightly
    /// less than the 2 s that users are told and that a launcher waits, because a passed-on signal arrives a moment
    /// later.
    static let secondRequestAfter: UInt64 = 1_900_000_000

    /// The message of a process that was asked to end before it had anything to save.
    public static let nothingToSave: StaticString =
        "stopped by a signal before training began, so there is nothing to save"

    /// Whether a signal has arrived since a handler was installed.
    static var hasCome: Bool { signalHasCome.load(ordering: .relaxed) }

    /// Returns whether a signal number is one of these signals in this process.
    public static func includes(_ number: Int32) -> Bool { all.contains(number) }

    /// The signals that this process does not ignore.
    public static var all: [Int32] { [SIGTERM, SIGINT, SIGUSR1] + (isIgnored(SIGHUP) ? [] : [SIGHUP]) }

    /// Makes a signal end this process immediately with the exit code of a stop, until `saveFirst` is called, because
    /// there is nothing to save. Without a handler, the first process of a container would ignore the signals.
    ///
    /// - Parameter saying: whether to report the stop on standard error.
    public static func leaveAtOnce(saying: Bool) {
        isSaying.store(saying, ordering: .relaxed)
        install { _ in
            if isSaying.load(ordering: .relaxed) {
                say("ddp-train: ")
                say(EndingSignals.nothingToSave)
                say("\n")
            }
            _exit(ExitStatus.stopped)
        }
    }

    /// Makes a signal a request for `StopRequest`, and acknowledges it immediately. Another SIGTERM, SIGINT or SIGHUP,
    /// at least `secondRequestAfter` later, ends the process.
    static func saveFirst(saying: Bool) {
        isSaying.store(saying, ordering: .relaxed)
        install { number in
            let code = errno
            signalHasCome.store(true, ordering: .relaxed)
            if number != SIGUSR1 { requestEnd(number) }
            errno = code
        }
    }

    private static func install(_ handler: @escaping @convention(c) (Int32) -> Void) {
        // Initialize the globals here, because a handler must not do it.
        _ = (signalHasCome.load(ordering: .relaxed), firstRequest.load(ordering: .relaxed))
        _ = (secondRequestAfter, ExitStatus.stopped, nothingToSave, unwrittenBytes.load(ordering: .relaxed))
        // A parent may have started the process with signals blocked.
        var signals = sigset_t()
        sigemptyset(&signals)
        defer { pthread_sigmask(SIG_UNBLOCK, &signals, nil) }
        for number in all {
            sigaddset(&signals, number)
            var action = sigaction()
            action.setHandler(handler)
            // SA_NODEFER lets the handler end the process by the same signal. (The C flags may have an unsigned type.)
            action.sa_flags = Int32(truncatingIfNeeded: SA_RESTART) | Int32(truncatingIfNeeded: SA_NODEFER)
            sigaction(number, &action, nil)
        }
    }

    /// Bytes that are on their way to the standard streams: a signal that ends the process waits a moment for a reader to take
    /// them.
    static func noteUnwritten(_ bytes: Int) { unwrittenBytes.store(bytes, ordering: .relaxed) }

    static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        sigaction(number, nil, &action)
        return action.isIgnored
    }
}

// Signals belong to the process, so the handlers' state is global. Handlers call nothing that takes a lock or allocates
// memory.

private let signalHasCome = Atomic<Bool>(false)
private let isSaying = Atomic<Bool>(true)
/// The time of the first SIGTERM, SIGINT or SIGHUP, in nanoseconds of the monotonic clock; 0 before it.
private let firstRequest = Atomic<UInt64>(0)

private let unwrittenBytes = Atomic<Int>(0)

private func requestEnd(_ number: Int32) {
    let now = monotonicNanoseconds()
    let first = firstRequest.compareExchange(expected: 0, desired: now, ordering: .relaxed)
    if first.exchanged {
        guard isSaying.load(ordering: .relaxed) else { return }
        switch number {
        case SIGINT: say("ddp-train: SIGINT: the run saves its last whole step and ends; ")
        case SIGHUP: say("ddp-train: SIGHUP: the run saves its last whole step and ends; ")
        default: say("ddp-train: SIGTERM: the run saves its last whole step and ends; ")
        }
        say("another signal, 2 s from now or later, ends it at once without saving\n")
    } else if now >= first.original + EndingSignals.secondRequestAfter {
        waitForReader()
        signal(number, SIG_DFL)
        raise(number)
        // A raised signal does not end the first process of a container.
        _exit(128 + number)
    }
}

/// Not where nobody reads, as a write would wait there, and the run with it.
private func say(_ line: StaticString) {
    var target = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
    guard poll(&target, 1, 0) > 0 else { return }
    _ = write(STDERR_FILENO, line.utf8Start, line.utf8CodeUnitCount)
}

/// What was said before the end is not lost where somebody reads it.
private func waitForReader() {
    for _ in 0..<200 where unwrittenBytes.load(ordering: .relaxed) > 0 { poll(nil, 0, 1) }
}

private func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
