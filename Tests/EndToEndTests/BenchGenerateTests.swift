import Formats
import TestSupport
import Testing

@Suite struct BenchGenerateTests {
    private let run: TrainedRun
    private let program: Program

    init() throws {
        run = try TrainedRun.shared.get()
        program = run.program
    }

    @Test("bench-generate measures a run's model and prints one line of JSON")
    func json() throws {
        let result = try program.run(
            "bench-generate",
            "--init_from=out",
            "--prompt_tokens=4",
            "--max_new_tokens=6",
            "--repeats=2",
            "--json"
        )
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.outputLines.count == 1)
        let report = try JSONValue(parsing: Array(result.output.utf8))
        #expect(report["ids"]?.arrayValue?.count == 6 && report["decode_seconds"]?.arrayValue?.count == 2)
    }

    @Test("a prompt longer than the block is refused with the block size")
    func longPrompt() throws {
        let result = try program.run("bench-generate", "--init_from=out", "--prompt_tokens=17")
        #expect(result.exitCode == 64 && result.errors.contains("block_size, 16"), "\(result)")
        #expect(result.errorLines.count == 1)
    }

    @Test("each instruction set that can be forced trains to the same loss", arguments: ["plain", "avx2", "avx512"])
    func instructionSets(name: String) throws {
        var program = program
        program.environment["DDP_TRAIN_ISA"] = name
        let options = ["--dataset=mine", "--out_dir=isa-\(name)"] + TrainedRun.tiny
        let result = try program.start(options).wait()
        // What a processor lacks is refused by name.
        if result.exitCode == 64,
            result.errors.contains("DDP_TRAIN_ISA=\(name): must be one that this processor supports")
        {
            return
        }
        #expect(result.exitCode == 0, "\(result)")
        func losses(_ result: Program.Result) -> [Double] {
            result.output.matches(of: /val loss (\d+\.\d+)/).compactMap { Double($0.output.1) }
        }
        let (own, other) = (losses(result), losses(run.training))
        #expect(own.count == other.count && own.count >= 2, "\(result)")
        for (a, b) in zip(own, other) { #expect(abs(a - b) < 2e-3, "\(own) and \(other)") }
    }

    @Test("several samples come one after the other, each as alone")
    func samples() throws {
        let options = ["sample", "--max_new_tokens=40", "--start=The "]
        let several = try program.start(options + ["--num_samples=10"]).wait()
        #expect(several.exitCode == 0, "\(several)")
        let texts = several.output.split(separator: "---------------\n", omittingEmptySubsequences: false)
        #expect(texts.count == 10 && texts.allSatisfy { $0.hasPrefix("The ") })
        let alone = try program.start(options + ["--num_samples=1"]).wait()
        #expect(alone.output == String(texts[0]))
        #expect(Set(texts).count == 10)
    }
}
