import Foundation
import Supervision
import TestSupport

/// A job whose ranks run one shell script, each finding in RANK who it is, and in `$DIR` a folder that all share.
///
/// `signal 15` in a script is a signal to the launcher. A rank that runs for a minute is killed, so that a test fails and
/// does not hang.
struct ShellJob {
    struct Result: CustomStringConvertible {
        let code: Int32
        let output: [UInt8]
        let errors: [UInt8]

        var outputLines: [String] { lines(output) }
        var errorLines: [String] { lines(errors) }
        /// The launcher's last line.
        var summary: String { errorLines.last ?? "" }
        var description: String { "code \(code)\n\(outputLines.prefix(20))\n\(errorLines.prefix(20))" }

        private func lines(_ bytes: [UInt8]) -> [String] {
            String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        }
    }

    let folder: TemporaryFolder
    var job: Job
    /// Asked after a failure; the number of the restart.
    var continuation: ((Int) -> Job.Continuation)?
    /// In place of a file.
    var outputDescriptor: Int32?

    static let prelude = """
        signal() { printf "\\\\$(printf %o "$1")" > "$DIR/signals"; }
        { sleep 60; kill -9 $$; } > /dev/null 2>&1 &
        until_there() { while [ ! -e "$DIR/$1" ]; do sleep 0.01; done; }

        """

    init(_ script: String, ranks: Int, restarts: Int = 0) throws {
        folder = try TemporaryFolder()
        mkfifo(folder("signals"), 0o600)
        job = Job(
            executable: "/bin/sh",
            arguments: ["-c", Self.prelude + script],
            rankCount: ranks,
            maxRestarts: restarts,
            environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "DIR": folder.path]
        )
    }

    func run() throws -> Result {
        let signals = open(folder("signals"), O_RDWR | O_NONBLOCK | O_CLOEXEC)
        let output = outputDescriptor ?? creat(folder("output"), 0o600)
        let errors = creat(folder("errors"), 0o600)
        defer { [signals, output, errors].forEach { close($0) } }
        var restarts = 0
        let supervisor = Supervisor(job, signals: signals, output: output, errors: errors) {
            restarts += 1
            return continuation?(restarts)
                ?? Job.Continuation(arguments: job.arguments, beginning: "from the beginning")
        }
        let code = try supervisor.run()
        return Result(code: code, output: bytes("output"), errors: bytes("errors"))
    }

    func bytes(_ name: String) -> [UInt8] {
        Array((try? Data(contentsOf: URL(fileURLWithPath: folder(name)))) ?? Data())
    }

    /// The text of a file that the script wrote, without white space around it.
    func text(_ name: String) -> String {
        String(decoding: bytes(name), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Whether a process runs; one that has ended and that nobody has waited for yet does not.
func isRunning(_ process: pid_t) -> Bool {
    guard kill(process, 0) == 0 else { return false }
    guard let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else {
        return FileManager.default.fileExists(atPath: "/proc/self") ? false : true
    }
    return !line.contains(") Z")
}

/// Whether a process ends soon: SIGKILL takes its time.
func endsSoon(_ process: pid_t) -> Bool {
    for _ in 0..<500 where isRunning(process) { usleep(10_000) }
    return !isRunning(process)
}
