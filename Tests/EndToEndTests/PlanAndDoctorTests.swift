import Formats
import Platform
import TestSupport
import Testing

@Suite struct PlanAndDoctorTests {
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    @Test("plan prints memory and time of a configuration without data, and leaves nothing behind")
    func plan() throws {
        let options = ["--n_layer=2", "--n_embd=32", "--n_head=2", "--vocab_size=100"]
        let result = try program.start(["plan", "--ranks=3", "--bandwidth=1Gbit", "--json"] + options).wait()
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.outputLines.count == 1)
        let object = try JSONValue(parsing: Array(result.output.utf8))
        #expect(object["vocab_size"]?.integerValue == 100)
        #expect(object["vocabulary_from"]?.stringValue == "--vocab_size")
        #expect(object["ranks"]?.integerValue == 3)
        #expect(object["sequences_per_rank"]?.integerValue == 4)
        let text = try program.start(["plan"] + options).wait()
        #expect(text.output.contains("vocabulary 100 (--vocab_size)"))
        #expect(text.output.contains("\nSlurm: --time=00:"))
        #expect(try FileSystem.names(inFolder: folder.path).isEmpty)
    }

    #if os(Linux)
        /// Of this model's 300 MB its parameters are 14 %, so are its gradients, activations 21 %, logits 11 % and the program
        /// 11 %: what is forgotten is seen. Off by 2 % where it was tried, optimized or not.
        @Test("What plan says of memory is within a tenth of what training takes at most")
        func memory() throws {
            let shape = [
                "--n_layer=4", "--n_embd=384", "--block_size=256", "--batch_size=2", "--vocab_size=8192",
            ]
            let options = shape + ["--threads=2", "--gradient_accumulation_steps=1", "--json"]
            func report(_ arguments: [String]) throws -> JSONValue {
                let result = try program.start(arguments + options).wait()
                try #require(result.exitCode == 0, "\(result)")
                return try JSONValue(parsing: Array(result.output.utf8))
            }
            let plan = try report(["plan"])
            let bench = try report(["bench", "--steps=1", "--warmup=1"])
            // A benchmark writes no sample, and opens no data set.
            let samples = try #require(plan["memory"]?["samples"]?.integerValue)
            let planned = Double(try #require(plan["memory_bytes"]?.integerValue) - samples)
            let taken = Double(try #require(bench["peak_rss_bytes"]?.integerValue))
            #expect(abs(planned / taken - 1) < 0.1, "planned \(planned), taken \(taken): \(plan)")
        }
    #endif

    @Test(
        "plan refuses what it cannot plan",
        arguments: [
            (["plan", "--ranks=2"], "ranks=2: the speed of the network is missing"),
            (["plan", "--ranks=2", "--bandwidth=quick"], "bandwidth=quick: must be above 0"),
            (["plan", "--ranks=0"], "ranks=0: must be a whole number of at least 1"),
            (["plan", "--ranks=13", "--bandwidth=1"], "ranks=13: an iteration has 12 sequences"),
            (["plan", "--vocab_size=0"], "vocab_size=0: must be a whole number of at least 1"),
            (["plan", "--n_head=3"], "n_embd=128"),
        ]
    )
    func planRefuses(arguments: [String], message: String) throws {
        let result = try program.start(arguments).wait()
        #expect(result.exitCode == 64)
        #expect(result.output.isEmpty)
        #expect(result.errors.hasPrefix("ddp-train: error: \(message)"), "\(result)")
    }

    @Test("doctor says what there is, and ends with 1 when something needed is broken")
    func doctor() throws {
        let result = try program.run("doctor", "--json", "--threads=1")
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.outputLines.count == 1)
        let object = try JSONValue(parsing: Array(result.output.utf8))
        #expect(object["ok"] == .bool(true))
        #expect(object["version"]?.stringValue?.isEmpty == false)
        #expect(object["cache"]?["path"]?.stringValue == folder("cache"))
        try FileSystem.createFolder(folder("a"))
        try AtomicFile.write("", to: folder("a/file"))
        let broken = try program.run("doctor", "--threads=1", "--out_dir=a/file")
        #expect(broken.exitCode == 1)
        #expect(broken.output.contains("broken: the folder is not writable: choose another with --out_dir"))
        #expect(broken.errors.isEmpty)
    }
}
