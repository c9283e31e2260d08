import Platform
import Synchronization
import Testing

@Suite("System threads")
struct SystemThreadTests {
    @Test("join waits for the end of the thread's body")
    func join() {
        let box = Counter()
        SystemThread { for _ in 0..<1000 { box.count.add(1, ordering: .relaxed) } }.join()
        #expect(box.count.load(ordering: .relaxed) == 1000)
    }

    @Test(
        "a thread blocks the given signals, and its creator blocks none of them afterwards",
        arguments: [
            (SystemThread.BlockedSignals.inherited, [false, false, false, false]),
            (.endingRun, [true, true, true, false]), (.all, [true, true, true, true]),
        ]
    )
    func signals(blocking: SystemThread.BlockedSignals, expected: [Bool]) {
        let seen = Signals()
        // Use a separate thread, because the signals that the test library's thread blocks are unknown.
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

    /// Results, which the threads write one after another.
    private final class Signals: @unchecked Sendable {
        private static let all = [SIGTERM, SIGINT, SIGUSR1, SIGUSR2]
        var thread: [Bool] = []
        var creator: [Bool] = []

        func unblock() {
            var signals = sigset_t()
            sigfillset(&signals)
            pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        }

        /// Returns whether the calling thread blocks SIGTERM, SIGINT, SIGUSR1 and SIGUSR2.
        static func blocked() -> [Bool] {
            var signals = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &signals)
            return all.map { sigismember(&signals, $0) == 1 }
        }
    }
}
