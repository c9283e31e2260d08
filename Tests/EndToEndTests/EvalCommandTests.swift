import Foundation
import TestSupport
import Testing

/// `eval` and training on token files as people have them.
@Suite struct EvalCommandTests {
    private static let models = Fixtures.path("cases/models")
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    private func eval(_ dataset: String) -> [String] {
        [
            "eval", "--init_from=\(Self.models)/ckpt-good/ckpt.pt", "--data_dir=\(Self.models)/data",
            "--dataset=\(dataset)",
        ]
    }

    @Test("The same tokens have the same loss in every form", arguments: ["good", "as-uint32", "npy", "npy-shards"])
    func forms(dataset: String) throws {
        let result = try program.start(eval(dataset)).wait()
        #expect(result.output == "val loss 1.5479, perplexity 4.70, 160 tokens\n", "\(result)")
    }

    @Test("A split is scored to its last token, however short; without a target there is nothing to score")
    func shortSplits() throws {
        let short = try program.start(eval("val-short")).wait()
        // As PyTorch computes it on the 5 targets.
        #expect(short.output == "val loss 1.2549, perplexity 3.51, 5 tokens\n", "\(short)")
        // 249 blocks of 8 and a block of 7; without the last, 1.5503.
        let train = try program.start(eval("good") + ["--split=train"]).wait()
        #expect(train.output == "train loss 1.5504, perplexity 4.71, 1999 tokens\n", "\(train)")
        let empty = try program.expectError(eval("val-empty"), code: 65, #_sourceLocation)
        #expect(empty.errors.hasPrefix("ddp-train: error: there is nothing to score: "), "\(empty)")
        #expect(empty.output.isEmpty)
    }

    @Test("Training goes on without validation data, says so once, and leaves a run that every command reads")
    func noValidation() throws {
        let result = try program.run(
            "--preset=baby",
            "--data_dir=\(Self.models)/data",
            "--dataset=val-empty",
            "--out_dir=out",
            "--n_layer=1",
            "--n_head=2",
            "--n_embd=8",
            "--block_size=8",
            "--batch_size=2",
            "--max_iters=4",
            "--eval_interval=2",
            "--eval_iters=1",
            "--keep_checkpoints=5",
            "--always_save_checkpoint=false"
        )
        #expect(result.exitCode == 0, "\(result)")
        let notes = result.errors.split(separator: "\n").filter { $0.hasPrefix("no validation loss: ") }
        #expect(notes.count == 1, "\(result)")
        #expect(result.output.contains("\nstep 2: train loss 2."))
        let all = result.output + result.errors
        #expect(!all.contains("val loss") && !all.lowercased().contains("nan") && !all.contains("(best)"), "\(result)")
        let list = try program.run("checkpoint", "list", "out")
        #expect(list.output.contains("        2         -") && list.output.contains("        4         -"), "\(list)")
        let report = try program.run("report", "out", "--json")
        #expect(report.exitCode == 0 && !report.output.contains("damaged"), "\(report)")
        let resumed = try program.run("--init_from=resume", "--out_dir=out", "--max_iters=5")
        #expect(resumed.exitCode == 0 && resumed.output.contains("\nstep 5: train loss 2."), "\(resumed)")
        for (arguments, line) in [
            (["inspect", "--out_dir=out"], "there is no validation text: "),
            (
                ["experiment", "activation", "--data_dir=\(Self.models)/data", "--dataset=val-empty"],
                "experiments compare validation losses, but "
            ),
        ] {
            let error = try program.expectError(arguments, code: 65, #_sourceLocation)
            #expect(error.errors.hasPrefix("ddp-train: error: \(line)"), "\(error)")
        }
    }
}
