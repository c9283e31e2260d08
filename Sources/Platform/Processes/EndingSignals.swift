import Synchronization

/// The signals that ask a process to end: SIGTERM, SIGINT, SIGUSR1, and SIGHUP unless it is ignored, as under nohup.
///
/// A launcher and its ranks often receive a signal together, and the launcher passes it on: so another one counts as a second
/// request only if it comes some time after the first. SIGUSR1 asks, and never ends a process by itself.
///
/// By handler and not by a thread in `sigwait`: OpenBLAS starts a thread before `main`, in which no signal is blocked.
public enum EndingSignals {
    /// From when on another signal after the first is a second request, in nanoseconds: a little less than the 2 s that
    /// users are told and a launcher waits, as what it passes on comes a moment later.
    static let secondRequestAfter: UInt64 = 1_900_000_000

    /// What a process says that was asked to end before it had anything to save.
    public static let nothingToSave: StaticString =
        "stopped by a signal before training began, so there is nothing to save"

    /// Whether a signal has come since a handler was installed.
    static var hasCome: Bool { signalHasCome.load(ordering: .relaxed) }

    /// Whether a signal of this number is one of them in this process.
    public static func includes(_ number: Int32) -> Bool { all.contains(number) }

    /// Those of them that this process does not ignore.
    public static var all: [Int32] { [SIGTERM, SIGINT, SIGUSR1] + (isIgnored(SIGHUP) ? [] : [SIGHUP]) }

    /// Until `saveFirst` is called, a signal ends this process at once with the code of a stop: there is nothing to save.
    /// A process that is the first of a container would otherwise not end at all.
    ///
    /// - Parameter saying: whether it says so on standard error.
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

    /// A signal is a request, for `StopRequest` to see, and is acknowledged at once. Another SIGTERM, SIGINT or SIGHUP, at least
    /// `secondRequestAfter` later, ends the process.
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
        // Initializes the globals, which a handler must not do.
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
            // The handler may end the process by the same signal. (A flag of C may be an unsigned number.)
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

// Signals belong to the process, so what handlers know is global. Handlers call nothing that takes a lock or memory.

private let signalHasCome = Atomic<Bool>(false)
private let isSaying = Atomic<Bool>(true)
/// When SIGTERM, SIGINT or SIGHUP came first, in nanoseconds of the monotonic clock; 0 before.
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
        // The first process of a container is not ended by what it raises.
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
