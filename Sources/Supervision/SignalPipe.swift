import Platform
import Synchronization

/// Signals as bytes that can be read among other things to wait for.
public final class SignalPipe {
    /// To read the numbers of signals from, a byte each. Reading does not wait.
    public let descriptor: Int32

    /// From now on the signals of `EndingSignals` do nothing but arrive here, and PIPE does nothing. Once in a process.
    ///
    /// - Throws: `UserError(.inputOutput)` when there is no pipe to be had.
    public init() throws {
        let (readEnd, writeEnd) = try ChildProcess.makePipe(to: "myself")
        Descriptor.makeNonBlocking(readEnd)
        Descriptor.makeNonBlocking(writeEnd)
        descriptor = readEnd
        target.store(writeEnd, ordering: .relaxed)
        signal(SIGPIPE, SIG_IGN)
        // A parent may have started the process with signals blocked.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in EndingSignals.all {
            sigaddset(&signals, number)
            signal(number) { number in
                let code = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(target.load(ordering: .relaxed), &byte, 1)
                errno = code
            }
        }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }
}

/// Signals belong to the process, so this is global.
private let target = Atomic<Int32>(-1)
