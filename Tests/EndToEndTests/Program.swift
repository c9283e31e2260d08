import Foundation
import TestSupport
import Testing

/// The built program, run as a user runs it.
struct Program {
    struct Result: CustomStringConvertible {
        let exitCode: Int32
        let output: String
        let errors: String

        var outputLines: [String] { output.split(separator: "\n").map(String.init) }
        var errorLines: [String] { errors.split(separator: "\n").map(String.init) }
        var description: String {
            "exit code \(exitCode)\n--- standard output\n\(output)\n--- standard error\n\(errors)"
        }
    }

    struct NotFound: Error {
        let searched: [String]
    }

    /// The folder that the program runs in.
    let folder: String
    /// Variables of the environment, in place of the test's own where both name one.
    var environment: [String: String] = [:]

    init(in folder: TemporaryFolder) {
        self.folder = folder.path
        // Nothing is downloaded, and nothing of the user's is used.
        environment = ["DDP_TRAIN_CACHE": folder.path + "/cache", "http_proxy": "http://127.0.0.1:9"]
        environment["https_proxy"] = environment["http_proxy"]
    }

    /// Runs the program to its end.
    func run(_ arguments: String..., input: String = "") throws -> Result {
        try start(arguments, input: input).wait()
    }

    /// Another program of the package, to its end.
    func run(program name: String, _ arguments: [String]) throws -> Result {
        try Running(
            executable: Self.path(of: name),
            arguments: arguments,
            folder: folder,
            environment: environment,
            input: ""
        ).wait()
    }

    /// Runs a command of the shell to its end, as for limits that the program is to live with.
    func shell(_ command: String) throws -> Result {
        try Running(
            executable: "/bin/sh",
            arguments: ["-c", command],
            folder: folder,
            environment: environment,
            input: ""
        ).wait()
    }

    func start(_ arguments: [String], input: String = "") throws -> Running {
        try Running(
            executable: Self.path(),
            arguments: arguments,
            folder: folder,
            environment: environment,
            input: input
        )
    }

    /// Runs the program to an error: the code, and one line about it.
    func expectError(_ arguments: [String], code: Int32, _ sourceLocation: SourceLocation) throws -> Result {
        let result = try start(arguments).wait()
        #expect(result.exitCode == code, "\(arguments): \(result)", sourceLocation: sourceLocation)
        #expect(result.errorLines.count == 1, "\(arguments): \(result)", sourceLocation: sourceLocation)
        return result
    }

    /// A process whose output goes to files, so that it never waits for its reader.
    final class Running {
        private let process = Process()
        private let files = try! TemporaryFolder()

        init(
            executable: String,
            arguments: [String],
            folder: String,
            environment: [String: String],
            input: String
        ) throws {
            try Data(input.utf8).write(to: URL(fileURLWithPath: files("in")))
            for name in ["out", "err"] { try Data().write(to: URL(fileURLWithPath: files(name))) }
            process.executableURL = URL(fileURLWithPath: executable)
            process.arguments = arguments
            process.currentDirectoryURL = URL(fileURLWithPath: folder)
            // Tests in this process may have started MPI, which leaves variables that send another mpirun astray.
            let own = ProcessInfo.processInfo.environment.filter { name, _ in
                !["OMPI_", "PMIX_", "ORTE_"].contains { name.hasPrefix($0) }
            }
            process.environment = own.merging(environment) { _, given in given }
            process.standardInput = FileHandle(forReadingAtPath: files("in"))
            process.standardOutput = FileHandle(forWritingAtPath: files("out"))
            process.standardError = FileHandle(forWritingAtPath: files("err"))
            try process.run()
        }

        var output: String { (try? String(contentsOfFile: files("out"), encoding: .utf8)) ?? "" }
        var errors: String { (try? String(contentsOfFile: files("err"), encoding: .utf8)) ?? "" }
        var isRunning: Bool { process.isRunning }

        func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

        /// Waits for the end; a process that goes on for minutes is killed, so that a test fails and does not hang.
        func wait() throws -> Result {
            let deadline = Date(timeIntervalSinceNow: 120)
            while process.isRunning, Date() < deadline { usleep(5_000) }
            if process.isRunning { send(SIGKILL) }
            process.waitUntilExit()
            let code = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
            return Result(
                exitCode: code,
                output: output,
                errors: try String(contentsOfFile: files("err"), encoding: .utf8)
            )
        }
    }

    /// Beside the test bundle, which the test process knows by its arguments.
    static func path(of name: String = "ddp-train") throws -> String {
        var searched: [String] = []
        let known = CommandLine.arguments + [Bundle.main.bundlePath, Bundle.main.executablePath ?? ""]
        for path in known where path.contains("/") {
            var folder = URL(fileURLWithPath: path).deletingLastPathComponent()
            for _ in 0..<5 {
                let candidate = folder.appendingPathComponent(name).path
                searched.append(candidate)
                var isFolder: ObjCBool = false
                if FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder), !isFolder.boolValue,
                    FileManager.default.isExecutableFile(atPath: candidate)
                {
                    return candidate
                }
                folder.deleteLastPathComponent()
            }
        }
        throw NotFound(searched: searched)
    }
}
