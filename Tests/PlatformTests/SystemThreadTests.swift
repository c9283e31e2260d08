import Platform
import Synchronization
import Testing

@Suite("Threads of the system")
struct SystemThreadTests {
    @Test("join waits for the end of the thread's body")
    func join() {
        let box = Counter()
        SystemThread { for _ in 0..<1000 { box.count.add(1, ordering: .relaxed) } }.join()
        #expect(box.count.load(ordering: .relaxed) == 1000)
    }

    @Test(
        "a thread blocks the signals that it is told to, and its creator blocks none of them afterwards",
        arguments: [
            (SystemThread.BlockedSignals.inherited, [false, false, false, false]),
            (.endingRun, [true, true, true, false]), (.all, [true, true, true, true]),
        ]
    )
    func signals(blocking: SystemThread.BlockedSignals, expected: [Bool]) {
        let seen = Signals()
        // A thread of the test's own: what the test library's thread blocks is not known.
        SystemThread(blocking: .inherited) {
            seen.unblock()
            SystemThread(blocking: blocking) { seen.thread = Signals.blocked() }.join()
            seen.creator = Signals.blocked()
        }.join()
        #expect(seen.thread == expected)
        #expect(seen.creator == [false, false, false, false])
    }

    private final class Counter: Sendable {
        let count = Atomic<Int>(0)
    }

    /// Written by one thread after the other.
    private final class Signals: @unchecked Sendable {
        private static let all = [SIGTERM, SIGINT, SIGUSR1, SIGUSR2]
        var thread: [Bool] = []
        var creator: [Bool] = []

        func unblock() {
            var signals = sigset_t()
            sigfillset(&signals)
            pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        }

        /// Of TERM, INT, USR1 and USR2, in the calling thread.
        static func blocked() -> [Bool] {
            var signals = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &signals)
            return all.map { sigismember(&signals, $0) == 1 }
        }
    }
}
