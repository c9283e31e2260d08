import Foundation
import TestSupport
import Testing

/// `ddp-train` with no data set named: what is at hand, and nothing behind the user's back.
@Suite struct DefaultDatasetTests {
    private let folder: TemporaryFolder
    private let program: Program
    private let short = [
        "--max_iters=1", "--warmup_iters=0", "--lr_decay_iters=1", "--eval_iters=1", "--n_layer=1", "--n_head=2",
        "--n_embd=8",
        "--block_size=8",
    ]

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    @Test("Without a network and a cache, the demo corpus is used, and said to be")
    func demo() throws {
        let result = try program.start(short).wait()
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.errors.contains("using the built-in demo corpus"), "\(result)")
        #expect(result.output.contains(/data: demo,/))
        #expect(result.output.contains(/\noptimum: \d\.\d{4}/))
        #expect(result.outputLines.last?.contains("--preset=baby --dataset=demo") == true)
    }

    @Test("A prepared shakespeare_char is used without a word")
    func prepared() throws {
        try TrainedRun.text.write(toFile: folder("text.txt"), atomically: true, encoding: .utf8)
        _ = try program.run("prepare", "shakespeare_char", "--input", "text.txt")
        let result = try program.start(short).wait()
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.errors.isEmpty)
        #expect(result.output.contains("data: shakespeare_char,"))
    }

    @Test("The demo corpus needs no preparation where it is asked for", arguments: ["train", "launch -n 2", "config"])
    func namedDemo(command: String) throws {
        try "dataset = 'demo'".write(toFile: folder("demo.py"), atomically: true, encoding: .utf8)
        let isFile = command == "config"
        let arguments = isFile ? ["demo.py"] : command.split(separator: " ").map(String.init) + ["--dataset=demo"]
        let first = try program.start(arguments + short).wait()
        #expect(first.exitCode == 0, "\(first)")
        #expect(first.errors.contains("prepared the dataset demo in data"), "\(first)")
        #expect(first.output.contains(/data: demo,/))
        let second = try program.run("eval", "--dataset=demo")
        #expect(second.exitCode == 0 && !second.errors.contains("prepared"), "\(second)")
        let third = try program.run("eval", "--dataset=demo", "--data_dir=elsewhere")
        #expect(third.exitCode == 0 && third.errors.contains("prepared the dataset demo in elsewhere"), "\(third)")
    }
}
