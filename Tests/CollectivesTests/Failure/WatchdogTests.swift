import Foundation
import Platform
import Synchronization
import Testing

@testable import Collectives

@Suite("Watchdog", .timeLimit(.minutes(1)))
struct WatchdogTests {
    private static func pipe() -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        precondition(Foundation.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    @Test("One line on standard error, then the exit code of a lost peer")
    func line() {
        let (read, write) = Self.pipe()
        let code = Atomic<Int32>(0)
        let watchdog = Watchdog.ofProgram(standardError: write, exit: { code.store($0, ordering: .relaxed) })
        let failure = Failure(culprit: "rank 2 (node7)", reason: "its connection\nclosed")
        watchdog.announce(failure)
        watchdog.leave(failure, Watchdog.peerLost)
        close(write)
        let text = FileHandle(fileDescriptor: read, closeOnDealloc: true).readDataToEndOfFile()
        #expect(String(decoding: text, as: UTF8.self) == "ddp-train: error: rank 2 (node7): its connection closed\n")
        #expect(code.load(ordering: .relaxed) == 69)
    }

    @Test("A last line comes after all that was said before, and a stop has the code of one")
    func lastLine() {
        let (read, write) = Self.pipe()
        let code = Atomic<Int32>(0)
        let writer = OutputWriter(output: write, errors: write)
        let watchdog = Watchdog.ofProgram(
            standardError: write,
            note: { writer.put("\($0)\n", to: .errors) },
            beforeLast: { writer.drain() },
            exit: { code.store($0, ordering: .relaxed) }
        )
        for number in 0..<100 { writer.put("line \(number)\n", to: .output) }
        watchdog.note("no progress")
        watchdog.leaveStopped()
        close(write)
        let text = FileHandle(fileDescriptor: read, closeOnDealloc: true).readDataToEndOfFile()
        let last = [
            "ddp-train: no progress",
            "ddp-train: stopped by a signal before training began, so there is nothing to save",
        ]
        #expect(
            String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init) == (0..<100).map {
                "line \($0)"
            } + last
        )
        #expect(code.load(ordering: .relaxed) == 75)
    }

    @Test("A standard error that nobody reads does not keep the watchdog")
    func full() {
        let (read, write) = Self.pipe()
        _ = fcntl(write, F_SETFL, O_NONBLOCK)
        while Foundation.write(write, "x", 1) == 1 {}
        _ = fcntl(write, F_SETFL, 0)
        Watchdog.ofProgram(standardError: write, exit: { _ in }).announce(
            Failure(culprit: "rank 1 (a)", reason: "gone")
        )
        close(read)
        close(write)
    }
}
