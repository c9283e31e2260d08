import Foundation
import TestSupport
import Testing

/// `ddp-train bench`, and `--profile` of a run.
@Suite struct BenchCommandTests {
    private let folder = try! TemporaryFolder()
    private var program: Program { Program(in: folder) }
    private static let tiny = [
        "bench", "--n_layer=1", "--n-head", "2", "--n_embd=16", "--block_size=16", "--batch_size=2", "--threads=1",
        "--steps=3", "--warmup=1",
    ]

    @Test("bench --json is one line with the keys that scripts depend on")
    func json() throws {
        let result = try program.start(Self.tiny + ["--preset=char-nodropout", "--vocab_size=30", "--json"]).wait()
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.outputLines.count == 1)
        let object = try #require(JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        for name in ["tokens_per_second", "counted_gflops", "gemm_peak_gflops", "peak_rss_bytes"] {
            #expect(object[name] as? Double ?? 0 > 0, "\(name): \(String(describing: object[name]))")
        }
        let shape = try #require(object["shape"] as? [String: Any])
        #expect(shape["n_layer"] as? Int == 1)
        #expect(shape["vocab_size"] as? Int == 30)
        #expect(shape["dropout"] as? Double == 0)
        #expect(object["steps"] as? Int == 3)
        let parts = try #require(object["parts"] as? [[String: Any]])
        let share = parts.compactMap { $0["share"] as? Double }.reduce(0, +)
        #expect(abs(share - 1) < 1e-6)
    }

    @Test("bench prints speed, share of the peak, memory and the time by part")
    func table() throws {
        let result = try program.start(Self.tiny).wait()
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.output.contains(/step: \d+\.\d\d ms, median of 3 \(/))
        #expect(
            result.output.contains(
                /speed: [\d,]+ tokens\/s, \d+\.\d counted GFLOP\/s: \d+\.\d% of the \d+\.\d GFLOP\/s/
            )
        )
        #expect(result.output.contains(/memory: \d+(\.\d)? MB at most/))
        #expect(result.output.contains(/layer_norm +\d+\.\d\d +\d+\.\d%/))
        #expect(!result.output.contains("drawing masks"), "the model has no dropout: \(result)")
        #expect(result.errors.isEmpty)
    }

    @Test("bench --attention compares the tiled attention with a plain one")
    func attention() throws {
        let result = try program.run(
            "bench",
            "--attention",
            "--n_head=2",
            "--n_embd=16",
            "--block_size=96",
            "--steps=1",
            "--json"
        )
        #expect(result.exitCode == 0, "\(result)")
        let object = try #require(JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let lengths = try #require(object["attention"] as? [[String: Any]])
        #expect(lengths.map { $0["block_size"] as? Int } == [96])
        #expect(lengths[0]["largest_gradient_difference"] as? Double ?? 1 < 1e-5)
    }

    @Test(
        "What bench cannot use is refused, in one line",
        arguments: [
            (
                ["--attention", "--n_layer=2"],
                "n_layer=2: does nothing with --attention, which has n_head, n_embd and block_size; leave it out"
            ),
            (["--attention", "--vocab_size=9"], "vocab_size=9: does nothing with --attention"),
            (["--steps=0"], "steps=0: must be a whole number of at least 1"),
            (["--vocab_size=x"], "vocab_size=x: must be a whole number of at least 1"),
            (["--n_head=3"], "n_head=3 (command line): n_head must divide n_embd"),
            (["--preset=huge"], "preset=huge: must be baby, char,"),
            (["--max_iters=3"], "unknown option --max_iters for bench"),
        ]
    )
    func refused(arguments: [String], message: String) throws {
        let result = try program.start(["bench"] + arguments).wait()
        #expect(result.exitCode == 64)
        #expect(result.output.isEmpty)
        #expect(result.errorLines.count == 1)
        #expect(result.errors.contains(message), "\(result)")
    }

    @Test("train --profile writes a trace, and leaves the run's last line without it")
    func profile() throws {
        let run = try TrainedRun.shared.get()
        let trace = folder("trace.json")
        let result = try run.program.start(
            ["--dataset=mine", "--out_dir=traced", "--profile", trace] + TrainedRun.tiny
        ).wait()
        #expect(result.exitCode == 0, "\(result)")
        let events = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: trace)))
        #expect((events as? [[String: Any]])?.contains { $0["name"] as? String == "step 2" } == true)
        #expect(result.parameterHash == run.training.parameterHash)
        #expect(result.outputLines.last?.contains("profile") == false)
    }
}
