import Configuration
import Foundation
import TestSupport
import Testing
import Training

@testable import ddp_train

@Suite struct ConfigCommandTests {
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    @Test("What config prints, given back, prints the same configuration")
    func roundTrip() throws {
        let first = try program.run("config", "--preset=tiny", "--n-layer", "3", "--bias", "--out_dir=a b")
        #expect(first.exitCode == 0)
        try first.output.write(toFile: folder("config.toml"), atomically: true, encoding: .utf8)
        let second = try program.run("config", "config.toml")
        func assignments(_ text: String) -> [Substring] {
            text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { $0.prefix { $0 != "#" } }
        }
        #expect(assignments(first.output) == assignments(second.output))
        #expect(assignments(first.output).count == ConfigurationKey.all.count { !$0.onlyOnCommandLine })
        #expect(second.output.contains("# config.toml, line"))
    }

    @Test("--json prints one object on one line")
    func json() throws {
        let result = try program.run("config", "--json", "--learning_rate=1e-3", "--bias=True")
        #expect(result.outputLines.count == 1)
        #expect(result.errors.isEmpty)
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: [String: Any]]
        )
        #expect(object["learning_rate"]?["value"] as? Double == 0.001)
        #expect(object["learning_rate"]?["origin"] as? String == "command line")
        #expect(object["bias"]?["value"] as? Bool == true)
    }

    @Test("Options that do nothing are accepted, and say so")
    func notices() throws {
        let result = try program.run("config", "--compile", "--wandb_log=True")
        #expect(result.exitCode == 0)
        #expect(result.errorLines.count == 2)
        #expect(result.errors.contains("compile=true is ignored"))
        #expect(result.errors.contains("out/metrics.jsonl"))
    }

    @Test(
        "Wrong usage ends with code 64 and one line",
        arguments: [
            (["config", "--batchsize=4"], "ddp-train: error: unknown option --batchsize; did you mean --batch_size?"),
            (["--learnng_rate=1"], "ddp-train: error: unknown option --learnng_rate; did you mean --learning_rate?"),
            (
                ["config", "--dropout=2"],
                "ddp-train: error: dropout=2 (command line): must be at least 0 and less than 1"
            ),
            (
                ["config", "--n_layer=two\nlines"],
                "ddp-train: error: n_layer=two lines (command line): must be a whole number"
            ),
            (["config", "none.toml"], "ddp-train: error: configuration file none.toml: does not exist"),
            (["config", "--n_layer"], "ddp-train: error: missing value for '--n_layer <n>'"),
            (["config", "-n", "4"], "ddp-train: error: unknown option '-n'"),
            (["confgi"], "ddp-train: error: unknown command confgi"),
        ]
    )
    func wrongUsage(arguments: [String], line: String) throws {
        let result = try program.start(arguments).wait()
        #expect(result.exitCode == 64)
        #expect(result.output.isEmpty)
        #expect(result.errorLines.count == 1)
        #expect(result.errors.hasPrefix(line), "\(result)")
    }

    @Test(
        "A write that fails ends with code 74",
        .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")),
        arguments: ["config", "sample --num_samples=1", "eval", "eval --json", "export --out=full --overwrite"]
    )
    func fullDisk(command: String) throws {
        let run = try TrainedRun.shared.get()
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", "\"$0\" \(command) 2>\"$1\" >/dev/full", try Program.path(), folder("errors")]
        shell.currentDirectoryURL = URL(fileURLWithPath: run.folder.path)
        try shell.run()
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 74)
        let errors = try String(contentsOfFile: folder("errors"), encoding: .utf8)
        #expect(errors.hasPrefix("ddp-train: error: cannot write to standard output"))
    }

    @Test("Help exists on every level, with groups and defaults, on standard output")
    func help() throws {
        let root = try program.run("--help")
        #expect(root.exitCode == 0)
        #expect(root.errors.isEmpty)
        #expect(root.output.contains("SUBCOMMANDS:"))
        let config = try program.run("config", "--help")
        #expect(config.exitCode == 0)
        for text in ["MODEL:", "OPTIMIZATION:", "--n_embd <n>", "(default: 768; preset baby: 128)"] {
            #expect(config.output.contains(text), "\(text)")
        }
        #expect(try program.run("--version").output.hasPrefix("ddp-train \(Version.number)"))
    }
}
