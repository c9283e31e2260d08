import Formats
import Platform
import TestSupport
import Testing

@Suite("experiment and selftest") struct InsightCommandTests {
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    private let small = ["--n_layer=1", "--n_head=2", "--n_embd=16", "--max_iters=2", "--eval_iters=1"]

    private func run(_ arguments: [String]) throws -> Program.Result { try program.start(arguments).wait() }

    @Test("experiment says and writes what it found, leaves runs like any other, and replaces nothing unasked")
    func experiment() throws {
        let arguments = ["experiment", "mask", "heads", "--seeds=2"] + small
        let result = try run(arguments)
        #expect(result.exitCode == 0, "\(result.errors)")
        #expect(result.output.contains("run 4 of 4: no mask, seed 1338"))
        #expect(result.output.contains("\nThe causal mask\n  no mask: final validation loss"))
        #expect(result.output.hasSuffix("report: out-experiments/experiments.html\n"))
        let out = folder.path + "/out-experiments"
        #expect(
            String(decoding: try FileSystem.read(out + "/experiments.html").prefix(15), as: UTF8.self)
                == "<!doctype html>"
        )
        let evaluated = try run(["eval", "--out_dir=out-experiments/no-mask/seed-1337", "--which=latest"])
        #expect(evaluated.exitCode == 0, "\(evaluated.errors)")

        let again = try run(arguments)
        #expect(again.exitCode == 64 && again.errors.contains("out-experiments is not empty"))
        let json = try run(["experiment", "mask", "--seeds=1", "--json", "--overwrite"] + small)
        #expect(json.exitCode == 0 && json.output.filter { $0 == "\n" }.count == 1)
        let found = try JSONValue(parsing: Array(json.output.utf8.dropLast()))
        #expect(found["experiments"]?.arrayValue?.count == 1)
    }

    @Test("experiment refuses what it does not know, before anything is trained")
    func refusals() throws {
        let unknown = try run(["experiment", "masks"])
        #expect(unknown.exitCode == 64 && unknown.errors.contains("no experiment masks; did you mean mask?"))
        let impossible = try run(["experiment", "residual", "--norm_position=post"] + small)
        #expect(impossible.exitCode == 64 && impossible.errors.contains("norm_position needs a norm other than none"))
        let resumed = try run(["experiment", "mask", "--init_from=resume"])
        #expect(resumed.exitCode == 64)
        let none = try run(["experiment", "mask", "--seeds=0"] + small)
        #expect(none.exitCode == 64 && none.errors.contains("seeds=0"))
    }

    @Test("a variant is an option of train, is kept by its checkpoint, and does not leave as another tool's model")
    func variant() throws {
        let options = ["--dataset=demo", "--out_dir=variant", "--position_embedding=rotary", "--norm=rmsnorm"] + small
        #expect(try run(["prepare", "demo"]).exitCode == 0)
        let trained = try run(options)
        #expect(trained.exitCode == 0, "\(trained.errors)")
        // The checkpoint brings its shape: nothing has to be repeated.
        let sampled = try run(["sample", "--out_dir=variant", "--num_samples=1", "--max_new_tokens=5"])
        #expect(sampled.exitCode == 0, "\(sampled.errors)")
        let inspected = try run(["inspect", "--out_dir=variant", "--tokens=8"])
        #expect(inspected.exitCode == 0, "\(inspected.errors)")
        let other = try run(["--init_from=resume", "--out_dir=variant", "--norm=layernorm", "--max_iters=3"])
        #expect(other.exitCode == 64 && other.errors.contains("norm=layernorm cannot change in a resume"))
        let further = try run(["--init_from=variant", "--dataset=demo", "--out_dir=further", "--max_iters=1"])
        #expect(further.exitCode == 0, "\(further.errors)")
        let exported = try run(["export", "--out_dir=variant", "--out=model"])
        #expect(exported.exitCode == 64 && exported.errors.contains("position_embedding=rotary, norm=rmsnorm"))
    }

    @Test("selftest passes on a sound configuration, fails with code 1 on one that cannot learn, and speaks JSON")
    func selfTest() throws {
        let sound = try run(["selftest", "--n_layer=1", "--n_head=2", "--n_embd=32", "--block_size=16"])
        #expect(sound.exitCode == 0, "\(sound.output)")
        #expect(sound.output.contains("\nall 14 checks passed in "))
        // LayerNorm over a single feature leaves nothing of it.
        let nothing = try run(["selftest", "--n_layer=1", "--n_head=1", "--n_embd=1", "--block_size=4", "--json"])
        #expect(nothing.exitCode == 1)
        let json = try JSONValue(parsing: Array(nothing.output.utf8.dropLast()))
        #expect(json["passed"] == .bool(false))
        let failed = (json["checks"]?.arrayValue ?? []).filter { $0["passed"] == .bool(false) }
        #expect(failed.contains { $0["name"] == .string("Learning") })
    }
}
