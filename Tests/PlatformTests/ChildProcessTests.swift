import Foundation
import Platform
import Testing

@Suite("Child processes and their environment")
struct ChildProcessTests {
    @Test("the variables equal those that Foundation reports")
    func variables() {
        #expect(ProcessEnvironment.variables == ProcessInfo.processInfo.environment)
        #expect(ProcessEnvironment.value("PATH") == ProcessInfo.processInfo.environment["PATH"])
        #expect(ProcessEnvironment.value("DDP_TRAIN_TEST_NO_VARIABLE") == nil)
    }

    @Test("a child inherits this process's environment, or has exactly the given one")
    func environment() throws {
        let script = "test -n \"$PATH\" && test -z \"$ONLY\""
        #expect(try ChildProcess(["sh", "-c", script], descriptors: [:]).wait() == .exited(0))
        let only = "test \"$ONLY\" = this && test -z \"$HOME\""
        let child = try ChildProcess(
            ["sh", "-c", only],
            executable: "/bin/sh",
            environment: ["ONLY": "this"],
            descriptors: [:]
        )
        #expect(child.wait() == .exited(0))
    }

    @Test("run returns the exit status and the text of standard error")
    func outcome() throws {
        let outcome = try ChildProcess.run(["sh", "-c", "echo lost >&2; exit 3"], timeout: 60) {}
        #expect(outcome.status == 3)
        #expect(outcome.errorText == "lost\n")
    }

    @Test("a program that runs too long is killed")
    func timeout() throws {
        #expect(try ChildProcess.run(["sleep", "60"], timeout: 0) {}.status == 137)
    }
}
