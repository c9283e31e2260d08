import Foundation
import TestSupport
import Testing

/// `ddp-train` with no data set named: what is at hand, and nothing behind the user's back.
@Suite struct DefaultDatasetTests {
    private let folder: TemporaryFolder
    private let program: Program
    private let short = ["--max_iters=1", "--eval_iters=1", "--n_layer=1", "--n_embd=8", "--block_size=8"]

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
}
