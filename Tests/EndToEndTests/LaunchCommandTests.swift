import Foundation
import TestSupport
import Testing
import Training

@testable import ddp_train

@Suite("launch")
struct LaunchCommandTests {
    let run: TrainedRun

    init() throws { run = try TrainedRun.shared.get() }

    private let endless =
        ["--dataset=mine"] + TrainedRun.tiny + ["--max_iters=1_000_000", "--eval_interval=40", "--log_interval=1"]

    /// Launches one rank that trains for ever, and waits until the iteration has been printed.
    private func start(_ outDir: String, _ options: [String] = [], until iteration: Int) throws -> Program.Running {
        let launcher = try run.program.start(["launch", "-n", "1"] + options + endless + ["--out_dir=\(outDir)"])
        waitUntil { !launcher.isRunning || launcher.output.contains("iter \(iteration):") }
        return launcher
    }

    private func waitUntil(_ condition: () -> Bool) {
        let deadline = Date(timeIntervalSinceNow: 60)
        while !condition(), Date() < deadline { usleep(5_000) }
        #expect(condition(), "it does not come")
    }

    /// The process that writes to a run's folder, by the lock that it holds.
    private func writer(of outDir: String) throws -> pid_t {
        let target = run.folder(outDir) + "/.lock"
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let process = pid_t(name) else { continue }
            let files = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(name)/fd")) ?? []
            for file in files
            where (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(name)/fd/\(file)")) == target {
                return process
            }
        }
        throw CocoaError(.fileNoSuchFile)
    }

    private static let hasProc = FileManager.default.fileExists(atPath: "/proc/self/fd")

    @Test("The same is trained as without launch, and rank 0's lines come as they are")
    func sameRun() throws {
        let options = ["--dataset=mine", "--out_dir=launched"] + TrainedRun.tiny
        let result = try run.program.start(["launch", "-n", "1", "--"] + options).wait()
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.parameterHash == run.training.parameterHash)
        #expect(result.errorLines.last?.contains(/^launch: 1 rank, .* s: done$/) == true, "\(result)")
    }

    @Test(
        "A signal to the launcher stops training after saving, and the code is passed on",
        arguments: [SIGINT, SIGUSR1, SIGHUP]
    )
    func stopped(signal: Int32) throws {
        let launcher = try start("stopped-\(signal)", ["--max_restarts=2"], until: 3)
        launcher.send(signal)
        let result = try launcher.wait()
        #expect(result.exitCode == 75, "\(result)")
        #expect(result.errorLines.last?.hasSuffix("stopped by a signal, after saving") == true, "\(result)")
    }

    @Test("A stop leaves an iteration of any length, and what is saved is the last whole one")
    func stoppedInIteration() throws {
        // An iteration of hours.
        let options = ["--dataset=mine"] + TrainedRun.tiny + ["--gradient_accumulation_steps=20_000_000"]
        let launcher = try run.program.start(
            ["launch", "-n", "2"] + options + ["--max_iters=5", "--out_dir=long", "--threads=1"]
        )
        waitUntil { !launcher.isRunning || launcher.output.contains("step 0:") }
        launcher.send(SIGTERM)
        let result = try launcher.wait()
        #expect(result.exitCode == 75, "\(result)")
        #expect(result.output.contains("stopped at iteration 0"), "\(result)")
        #expect(result.errors.contains("launch: SIGTERM: the ranks are told to save and end"), "\(result)")
    }

    @Test(
        "Without standard descriptors the ranks train and the launcher ends",
        arguments: zip(["1>&-", "2>&-", "0<&- 1>&- 2>&-"], ["closed-1", "closed-2", "closed-all"])
    )
    func closedDescriptors(closed: String, outDir: String) throws {
        let options = ["--dataset=mine"] + TrainedRun.tiny + ["--max_iters=2", "--out_dir=\(outDir)"]
        let words = ([try Program.path(), "launch", "-n", "2"] + options).joined(separator: " ")
        #expect(try run.program.shell("exec \(words) \(closed)").exitCode == 0)
        #expect(try run.program.run("checkpoint", "verify", outDir).exitCode == 0)
    }

    @Test("A launcher whose parent ignores the ends of children hears of those of its ranks")
    func ignoredChildren() throws {
        let options = ["--dataset=mine"] + TrainedRun.tiny + ["--max_iters=2", "--out_dir=ignored"]
        let words = ([try Program.path(), "launch", "-n", "2"] + options).joined(separator: " ")
        #expect(try run.program.shell("trap '' CHLD; exec \(words)").exitCode == 0)
    }

    @Test("A file beyond the size that is allowed is one line that says so")
    func fileSizeLimit() throws {
        let options = ["--dataset=mine"] + TrainedRun.tiny + ["--max_iters=2", "--out_dir=limited"]
        let words = ([try Program.path()] + options).joined(separator: " ")
        let result = try run.program.shell("ulimit -f 8; exec \(words)")
        #expect(result.exitCode == 74, "\(result)")
        #expect(result.errors.contains("ulimit -f shows the largest size that is allowed"), "\(result)")
    }

    @Test("Small stacks are enough for ranks")
    func smallStacks() throws {
        let options = ["--dataset=mine"] + TrainedRun.tiny + ["--max_iters=2", "--out_dir=small-stacks"]
        let words = ([try Program.path(), "launch", "-n", "2"] + options).joined(separator: " ")
        let result = try run.program.shell("ulimit -s 512; exec \(words)")
        #expect(result.exitCode == 0, "\(result)")
    }

    @Test("A rank that is killed is started again from the last checkpoint", .enabled(if: hasProc))
    func restart() throws {
        let launcher = try start("restarted", ["--max_restarts=2"], until: 45)
        waitUntil { !launcher.isRunning || launcher.output.contains("checkpoints/step-00000040") }
        kill(try writer(of: "restarted"), SIGKILL)
        waitUntil { !launcher.isRunning || launcher.output.contains(#/resumed at iteration \d+\n(.*\n)*iter /#) }
        launcher.send(SIGTERM)
        let result = try launcher.wait()
        #expect(result.exitCode == 75, "\(result)")
        let line = /launch: restart 1 of 2 after rank 0 was killed by signal 9: in 1 s, going on from iteration (\d+)/
        let iteration = try #require(result.errors.firstMatch(of: line).flatMap { Int($0.output.1) }, "\(result)")
        #expect(iteration >= 40 && iteration % 40 == 0)
        #expect(result.errors.contains("2 starts"))
    }

    @Test("With --log_dir each rank has a file; a folder that cannot be made is refused before ranks start")
    func logFolder() throws {
        let options = ["-n", "2", "--dataset=mine"] + TrainedRun.tiny + ["--max_iters=2", "--out_dir=logged"]
        let result = try run.program.start(["launch", "--log_dir=logged/logs"] + options).wait()
        #expect(result.exitCode == 0, "\(result)")
        let logs = run.folder("logged/logs")
        #expect(try FileManager.default.contentsOfDirectory(atPath: logs).sorted() == ["rank-0.log", "rank-1.log"])
        let text = try String(contentsOfFile: logs + "/rank-0.log", encoding: .utf8)
        for line in result.output.split(separator: "\n") { #expect(text.contains(line)) }
        let refused = try run.program.start(["launch", "--log-dir", "text.txt/logs"] + options).wait()
        #expect(refused.exitCode == 74, "\(refused)")
        #expect(refused.output.isEmpty)
        #expect(refused.errorLines.count == 1 && refused.errors.contains("text.txt/logs"), "\(refused)")
        let nothing = try run.program.start(["launch", "--log_dir="] + options).wait()
        #expect(nothing.exitCode == 64, "\(nothing)")
    }

    @Test("When the launcher is killed, its rank leaves", .enabled(if: hasProc))
    func launcherKilled() throws {
        let launcher = try start("orphaned", until: 3)
        let rank = try writer(of: "orphaned")
        launcher.send(SIGKILL)
        waitUntil { kill(rank, 0) != 0 || (try? writer(of: "orphaned")) != rank }
        #expect(try launcher.wait().exitCode == -SIGKILL)
    }

    @Test(
        "Wrong usage is one line, said once",
        arguments: [
            (["-n", "0"], "-n=0: must be a whole number of at least 1"),
            (["-n", "1025"], "-n=1025: must be at most 1024"),
            (["-n", "two"], "-n=two: must be a whole number of at least 1"),
            (["--dataset=mine"], "launch needs the number of ranks: ddp-train launch -n 4"),
            (["-n", "3", "--datset=mine"], "unknown option --datset; did you mean --dataset?"),
            (["-n", "3", "--dropout=2"], "dropout=2 (command line): must be at least 0 and less than 1"),
            (["-n", "3", "--max-restarts=-1"], "max_restarts=-1: must be a whole number of at least 0"),
        ]
    )
    func wrongUsage(arguments: [String], line: String) throws {
        let result = try run.program.start(["launch"] + arguments).wait()
        #expect(result.exitCode == 64)
        #expect(result.output.isEmpty)
        #expect(result.errors == "ddp-train: error: \(line)\n")
    }

    @Test("What every rank would find wrong with data and folder is said once")
    func missingData() throws {
        let data = try run.program.run("launch", "-n", "3", "--dataset=mnie")
        #expect(data.exitCode == 65, "\(data)")
        #expect(data.errorLines.count == 1 && data.errors.hasSuffix("; did you mean mine?\n"), "\(data)")
        let resume = try run.program.run("launch", "-n", "3", "--init_from=resume", "--out_dir=nowhere")
        #expect(resume.exitCode == 74, "\(resume)")
        #expect(resume.errorLines.count == 1 && resume.errors.contains("there is no folder nowhere"), "\(resume)")
    }

    @Test("After a failure the last line says how to go on from what is saved", .enabled(if: hasProc))
    func savedAfterFailure() throws {
        let launcher = try start("killed", until: 45)
        waitUntil { !launcher.isRunning || launcher.output.contains("checkpoints/step-00000040") }
        kill(try writer(of: "killed"), SIGKILL)
        let result = try launcher.wait()
        #expect(result.exitCode == 137, "\(result)")
        let line = /launch: iteration (\d+) is saved; the same command goes on from it with --init_from=resume/
        #expect(result.errorLines.last?.wholeMatch(of: line) != nil, "\(result)")
    }

    @Test("Only what can share work among ranks is launched")
    func otherCommands() throws {
        let result = try run.program.run("launch", "-n", "2", "sample")
        #expect(result.exitCode == 64)
        #expect(result.errors.contains("sample runs as one process, without launch; ranks run train"), "\(result)")
    }

    @Test("Help of a command that ranks run is given, and starts none")
    func helpOfCommand() throws {
        let result = try run.program.run("launch", "-n", "2", "--", "train", "--help")
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.output.contains("--learning_rate"))
    }

    @Test(
        "A restart replaces what says how to begin, and nothing else",
        arguments: [
            (.checkpoint(iteration: 400), "--init_from=resume a.toml --bias=true", "going on from iteration 400"),
            (
                .first(overwriting: true), "--overwrite=true a.toml --init_from=gpt2 --from=gpt2.bin --bias=true",
                "from the beginning, as nothing was saved"
            ),
            (
                .first(overwriting: false), "a.toml --init_from=gpt2 --from=gpt2.bin --overwrite=true --bias=true",
                "as at first"
            ),
        ] as [(RestartPlan.Beginning, String, String)]
    )
    func continuation(beginning: RestartPlan.Beginning, arguments: String, text: String) {
        let given = ["train", "a.toml", "--init_from=gpt2", "--from=gpt2.bin", "--overwrite=true", "--bias=true"]
        let result = Launch.continuation(of: given, beginning)
        #expect(result.arguments.joined(separator: " ") == "train " + arguments)
        #expect(result.beginning == text)
        #expect(
            Launch.continuation(of: given + ["--", "--overwrite=x"], beginning).arguments.suffix(2) == [
                "--", "--overwrite=x",
            ]
        )
    }
}
