import Foundation
import Platform
import TestSupport
import Testing

/// A run is a function of its configuration: threads, interruptions and resumes change no bit of it.
@Suite struct ReproducibilityTests {
    private let run: TrainedRun
    private let program: Program

    init() throws {
        run = try TrainedRun.shared.get()
        program = run.program
    }

    @Test("Any number of threads gives the same bits", arguments: [1, 2, 3])
    func threads(count: Int) throws {
        let options = ["--dataset=mine", "--threads=\(count)", "--out_dir=threads-\(count)"]
        let result = try program.start(options + TrainedRun.tiny).wait()
        #expect(result.parameterHash != nil, "\(result)")
        #expect(result.parameterHash == run.training.parameterHash)
    }

    @Test("Another seed gives another model")
    func seed() throws {
        let result = try program.start(["--dataset=mine", "--seed=1", "--out_dir=seed"] + TrainedRun.tiny).wait()
        #expect(result.parameterHash != nil, "\(result)")
        #expect(result.parameterHash != run.training.parameterHash)
    }

    @Test("A run that a signal stops saves, ends with code 75, and resumes to the bits of one that was never stopped")
    func stopAndResume() throws {
        let options = ["--dataset=mine"] + TrainedRun.tiny + ["--max_iters=1_000_000", "--eval_interval=1_000_000"]
        let stopped = try program.start(options + ["--out_dir=stopped"])
        let deadline = Date(timeIntervalSinceNow: 60)
        while stopped.isRunning, !stopped.output.contains("iter 20:"), Date() < deadline { usleep(10_000) }
        stopped.send(SIGTERM)
        let result = try stopped.wait()
        #expect(result.exitCode == 75, "\(result)")
        let match = try #require(
            result.output.firstMatch(of: /stopped at iteration (\d+); go on with --init_from=resume\n$/)
        )
        let iteration = try #require(Int(match.output.1))
        #expect(iteration > 20)

        // Nothing but what changes has to be said again.
        let resumed = try program.run(
            "--out_dir=stopped",
            "--init_from=resume",
            "--max_iters=\(iteration + 7)",
            "--eval_interval=1_000_000"
        )
        #expect(resumed.exitCode == 0, "\(resumed)")
        #expect(resumed.output.contains("resumed at iteration \(iteration)"))
        let whole = try program.start(options + ["--out_dir=whole", "--max_iters=\(iteration + 7)"]).wait()
        #expect(whole.parameterHash != nil, "\(whole)")
        #expect(whole.parameterHash == resumed.parameterHash)
    }

    @Test("A run goes on when nobody reads what it says any more")
    func brokenPipe() throws {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = [
            "-c", "\"$0\" \"$@\" | head -n 1 >/dev/null", try Program.path(), "--dataset=mine", "--out_dir=unread",
        ]
        shell.arguments! += TrainedRun.tiny
        shell.currentDirectoryURL = URL(fileURLWithPath: run.folder.path)
        try shell.run()
        shell.waitUntilExit()
        #expect(FileManager.default.fileExists(atPath: run.folder("unread/checkpoints/step-00000020")))
    }
}
