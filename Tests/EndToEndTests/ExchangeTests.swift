import Foundation
import TestSupport
import Testing

/// Models from other tools' files and to them, as a user does it.
@Suite struct ExchangeTests {
    private let program: Program
    private let folder: TemporaryFolder
    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures").path

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    private func expectError(
        _ arguments: [String],
        code: Int32,
        _ text: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let result = try program.expectError(arguments, code: code, sourceLocation)
        #expect(result.errors.contains(text), "\(result)", sourceLocation: sourceLocation)
    }

    @Test("A small GPT-2 of transformers is fine-tuned on one's own byte pairs, exported to each form, and read back")
    func fineTuning() throws {
        try TrainedRun.text.write(toFile: folder("text.txt"), atomically: true, encoding: .utf8)
        // Its vocabulary of 288 is transformers' own: a model for the tokenizer that was trained on the text.
        let tokenizer = try program.run(
            "tokenizer",
            "train",
            "--input",
            "text.txt",
            "--vocab_size=288",
            "--output",
            "bpe"
        )
        #expect(tokenizer.exitCode == 0, "\(tokenizer)")
        let model = "\(Self.fixtures)/huggingface_small/model"
        let preparation = try program.run("prepare", "--input", "text.txt", "--name=mine", "--tokenizer=bpe")
        #expect(preparation.exitCode == 0, "\(preparation)")
        let training = try program.start([
            "--init_from=\(model)", "--dataset=mine", "--out_dir=out", "--block_size=16", "--batch_size=4",
            "--gradient_accumulation_steps=1", "--max_iters=20", "--eval_interval=20", "--eval_iters=2",
            "--learning_rate=1e-2", "--warmup_iters=0", "--decay_lr=false",
        ]).wait()
        #expect(training.exitCode == 0, "\(training)")
        let losses = training.output.matches(of: /step \d+: train loss \d+\.\d+, val loss (\d+\.\d+)/)
            .compactMap { Double($0.1) }
        #expect(losses.count == 2 && losses[1] < losses[0] - 1, "\(training)")

        for (format, path) in [("hf", "hf"), ("llmc", "llmc"), ("gguf", "m.gguf")] {
            let result = try program.run("export", "--format=\(format)", "--out=\(path)")
            #expect(result.exitCode == 0, "\(result)")
        }
        let names = ["hf", "llmc"].map {
            (try? FileManager.default.contentsOfDirectory(atPath: folder($0)).sorted()) ?? []
        }
        #expect(
            names == [
                ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
                ["model.bin", "tokenizer.bin"],
            ]
        )
        // The same text from the run and from what was exported: llm.c's file says no tokenizer that is read.
        let options = ["--max_new_tokens=30", "--temperature=0", "--num_samples=1", "--start=The quick"]
        let own = try program.start(["sample"] + options).wait()
        #expect(own.exitCode == 0 && own.output.count > 20, "\(own)")
        for source in [["--init_from=hf"], ["--init_from=llmc/model.bin", "--tokenizer=bpe"]] {
            #expect(try program.start(["sample"] + source + options).wait().output == own.output, "\(source)")
        }
    }

    @Test("nanoGPT's ckpt.pt is evaluated and trained on; without a tokenizer, sample says how to name one")
    func nanoGPT() throws {
        let checkpoint = "\(Self.fixtures)/exchange/ckpt.pt"
        try String(repeating: "abcdefghijkl\n", count: 40).write(
            toFile: folder("text.txt"),
            atomically: true,
            encoding: .utf8
        )
        #expect(try program.run("prepare", "--input", "text.txt", "--name=mine", "--tokenizer=char").exitCode == 0)
        // 13 characters in a vocabulary padded to 16.
        let evaluation = try program.run("eval", "--init_from=\(checkpoint)", "--dataset=mine")
        #expect(evaluation.output.hasPrefix("val loss "), "\(evaluation)")
        let training = try program.run(
            "--init_from=\(checkpoint)",
            "--dataset=mine",
            "--max_iters=4",
            "--batch_size=2",
            "--gradient_accumulation_steps=1",
            "--eval_interval=2",
            "--eval_iters=1"
        )
        #expect(training.exitCode == 0, "\(training)")
        let export = try program.run("export", "--out=model")
        #expect(export.exitCode == 0, "\(export)")
        let description = try String(contentsOfFile: folder("model/config.json"), encoding: .utf8)
        #expect(description.contains("\"vocab_size\": 13"))
        try expectError(["export", "--format=llmc", "--out=x"], code: 64, "llm.c always computes the tanh GELU")
        try expectError(
            ["sample", "--init_from=\(checkpoint)"],
            code: 65,
            "has no tokenizer.json beside it, so its tokens cannot be turned into text: name one with --tokenizer"
        )
        let sample = try program.run(
            "sample",
            "--init_from=\(checkpoint)",
            "--tokenizer=data/mine",
            "--num_samples=1",
            "--max_new_tokens=20"
        )
        #expect(sample.exitCode == 0 && sample.output.count == 22, "\(sample)")
        try expectError(
            ["eval", "--init_from=\(Self.fixtures)/exchange/command.pt", "--dataset=mine"],
            code: 65,
            "its model is an object of posix.system, not a state_dict (no code in it was run)"
        )
    }

    @Test("A model with an inner size, epsilon and head of its own is trained, resumed and exported as it is")
    func oddModel() throws {
        try String(repeating: "abcdefghijklm", count: 40).write(
            toFile: folder("text.txt"),
            atomically: true,
            encoding: .utf8
        )
        #expect(try program.run("prepare", "--input", "text.txt", "--name=mine", "--tokenizer=char").exitCode == 0)
        let model = "\(Self.fixtures)/huggingface_odd"
        let evaluation = try program.run("eval", "--init_from=\(model)", "--dataset=mine")
        #expect(evaluation.output.hasPrefix("val loss "), "\(evaluation)")
        #expect(evaluation.errors.contains("scaled the weights and biases of the queries"), "\(evaluation)")
        let options = [
            "--dataset=mine", "--batch_size=2", "--gradient_accumulation_steps=1", "--eval_interval=2",
            "--eval_iters=1",
        ]
        let training = try program.start(["--init_from=\(model)", "--max_iters=2"] + options).wait()
        #expect(training.exitCode == 0, "\(training)")
        #expect(training.errors.contains("scaled the weights and biases of the queries"), "\(training)")
        let resumed = try program.start(["--init_from=resume", "--max_iters=4"] + options).wait()
        #expect(resumed.exitCode == 0, "\(resumed)")
        let export = try program.run("export", "--out=model")
        #expect(export.exitCode == 0, "\(export)")
        let description = try String(contentsOfFile: folder("model/config.json"), encoding: .utf8)
        for text in ["\"n_inner\": 20", "\"layer_norm_epsilon\": 0.001", "\"tie_word_embeddings\": false"] {
            #expect(description.contains(text), "\(description)")
        }
        let losses = try [["--init_from=model"], []].map {
            try program.start(["eval", "--dataset=mine"] + $0).wait().output
        }
        #expect(losses[0].hasPrefix("val loss ") && losses[0] == losses[1], "\(losses)")
    }

    @Test("Options of the exchange that make no sense are refused")
    func refused() throws {
        let model = "\(Self.fixtures)/huggingface_gpt2"
        try expectError(
            ["export", "--init_from=\(model)", "--out=x", "--dtype=bfloat16"],
            code: 64,
            "--dtype=bfloat16 goes with --format=llmc; hf is written in float32"
        )
        try expectError(["sample", "--init_from=x", "--from=y"], code: 64, "--from goes with --init_from=gpt2")
        try expectError(["sample", "--from=y"], code: 64, "--from goes with --init_from=gpt2")
        try expectError(["eval", "--init_from=gpt2", "--from=y"], code: 74, "--from: there is no y")
        try expectError(
            ["--init_from=gpt2-xl", "--from=\(model)"],
            code: 65,
            "huggingface_gpt2 is not gpt2-xl, which has 48 layers, 25 heads and width 1600: it has 2, 3 and 12"
        )
        try "".write(toFile: folder("file"), atomically: true, encoding: .utf8)
        try expectError(
            ["export", "--init_from=\(model)", "--out=file", "--overwrite"],
            code: 64,
            "hf is a folder, and file is a file, which is not replaced"
        )
        // Nothing can be downloaded here.
        let download = try program.run("eval", "--init_from=gpt2", "--dataset=mine")
        #expect(download.exitCode == 74, "\(download)")
        #expect(download.errorLines.first?.contains("gpt2: 548 MB to download to ") == true, "\(download)")
        #expect(download.errorLines.last?.contains("cannot download https://huggingface.co/") == true, "\(download)")
    }
}
