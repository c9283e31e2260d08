import Foundation
import TestSupport
import Testing

/// The model that `sample`, `eval`, `inspect` and `export` work with.
@Suite struct ModelPlaceTests {
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    @Test("A run's folder may be given by position")
    func position() throws {
        let program = try TrainedRun.shared.get().program
        let named = try program.run("eval", "--out_dir=out")
        #expect(try program.run("eval", "out").output == named.output)
        #expect(named.exitCode == 0)
        for (arguments, message) in [
            (["eval", "out", "--out_dir=out"], "out and --out_dir both name a model: leave one out"),
            (["eval", "out", "--init_from=out"], "out and --init_from both name a model: leave one out"),
            (["eval", "out", "more"], "unexpected argument 'more'"),
        ] {
            let result = try program.expectError(arguments, code: 64, #_sourceLocation)
            #expect(result.errors == "ddp-train: error: \(message)\n")
        }
    }

    @Test(
        "Where a run is expected, another tool's model is pointed to --init_from",
        arguments: [
            ("ckpt.pt", "model", "model/ckpt.pt"), ("ckpt.pt", "model/ckpt.pt", "model/ckpt.pt"),
            ("model.safetensors", "model", "model"),
            ("model.safetensors", "model/model.safetensors", "model/model.safetensors"),
            ("model.safetensors.index.json", "model", "model"), ("pytorch_model.bin", "model", "model"),
            ("model.bin", "model", "model/model.bin"),
        ]
    )
    func otherTool(file: String, given: String, model: String) throws {
        try FileManager.default.createDirectory(atPath: folder("model"), withIntermediateDirectories: true)
        try Data("weights".utf8).write(to: URL(fileURLWithPath: folder("model/\(file)")))
        let hint = "\(model) is a model and no run of ddp-train; use it with --init_from=\(model)\n"
        for arguments in [
            ["sample", given], ["eval", given], ["export", given, "--out=x"], ["sample", "--out_dir=\(given)"],
        ] {
            let result = try program.expectError(arguments, code: 74, #_sourceLocation)
            #expect(result.errors == "ddp-train: error: there is no checkpoint in \(given)/checkpoints: \(hint)")
        }
        let inspected = try program.expectError(["inspect", given], code: 74, #_sourceLocation)
        #expect(inspected.errors.hasSuffix(hint))
        let resumed = try program.expectError(
            ["--dataset=demo", "--init_from=resume", "--out_dir=\(given)"],
            code: 74,
            #_sourceLocation
        )
        #expect(resumed.errors.hasPrefix("ddp-train: error: nothing to resume: ") && resumed.errors.hasSuffix(hint))
    }

    @Test("A checkpoint's folder is pointed to --init_from")
    func checkpoint() throws {
        let program = try TrainedRun.shared.get().program
        let result = try program.expectError(["sample", "out/checkpoints/best"], code: 74, #_sourceLocation)
        #expect(result.errors.hasSuffix("use it with --init_from=out/checkpoints/best\n"))
        #expect(try program.run("sample", "--init_from=out/checkpoints/best", "--max_new_tokens=1").exitCode == 0)
    }

    @Test("A resume of a finished run has nothing to do, says how to train on, and changes no bits")
    func finished() throws {
        let run = try TrainedRun.shared.get()
        try FileManager.default.copyItem(atPath: run.folder("out"), toPath: folder("out"))
        try FileManager.default.copyItem(atPath: run.folder("data"), toPath: folder("data"))
        let again = try program.run("--init_from=resume")
        #expect(again.exitCode == 0)
        #expect(
            again.outputLines.contains(
                "nothing to do: the run is at iteration 20, and max_iters=20; give a larger --max_iters to train on, and "
                    + "--lr_decay_iters to go with it"
            )
        )
        #expect(again.parameterHash == run.training.parameterHash)
        let evaluated = try program.run("--init_from=resume", "--eval_only=true")
        #expect(evaluated.exitCode == 0 && !evaluated.output.contains("nothing to do"))
        let further = try program.run("--init_from=resume", "--max_iters=21", "--lr_decay_iters=21")
        #expect(further.exitCode == 0 && further.outputLines.contains("resumed at iteration 20"))
    }
}
