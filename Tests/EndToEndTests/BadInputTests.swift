import Foundation
import TestSupport
import Testing

/// Whatever a user gets wrong: one clear line, the documented exit code, and nothing lost.
@Suite struct BadInputTests {
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    private func expectError(
        _ arguments: [String],
        code: Int32,
        _ line: String,
        in program: Program? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let result = try (program ?? self.program).expectError(arguments, code: code, sourceLocation)
        #expect(
            result.errors.hasPrefix("ddp-train: error: \(line)"),
            "\(arguments): \(result)",
            sourceLocation: sourceLocation
        )
        #expect(result.output.isEmpty, "\(arguments): \(result)", sourceLocation: sourceLocation)
    }

    @Test("An instruction set that the processor lacks is refused with those it has")
    func instructionSet() throws {
        var program = program
        program.environment["DDP_TRAIN_ISA"] = "sse9"
        try expectError(
            ["config"],
            code: 64,
            "DDP_TRAIN_ISA=sse9: must be one that this processor supports: ",
            in: program
        )
        program.environment["DDP_TRAIN_ISA"] = nil
        program.environment["DDP_TRAIN_GEMM"] = "mkl"
        try expectError(["config"], code: 64, "DDP_TRAIN_GEMM=mkl: must be own or blas", in: program)
    }

    @Test("Text that cannot be prepared leaves no data set behind")
    func text() throws {
        try Data().write(to: URL(fileURLWithPath: folder("empty.txt")))
        try Data("caf\u{e9} ".utf8 + [0xC3, 0x28]).write(to: URL(fileURLWithPath: folder("broken.txt")))
        try expectError(["prepare", "--input", "none.txt", "--name=x"], code: 74, "cannot open none.txt")
        try expectError(["prepare", "--input", "empty.txt", "--name=x"], code: 65, "empty.txt is empty")
        try expectError(["prepare", "--input", "broken.txt", "--name=x"], code: 65, "broken.txt")
        try expectError(["prepare", "--input", "broken.txt"], code: 64, "a data set made from --input needs a name")
        try expectError(
            ["prepare", "demo", "--input", "none.txt", "--name=mine"],
            code: 64,
            "demo and --name=mine both name the data set: leave one out"
        )
        try expectError(["prepare", "shakespear_char"], code: 64, "shakespear_char is not among the known data sets")
        try expectError(["prepare"], code: 64, "nothing to prepare")
        #expect((try? FileManager.default.contentsOfDirectory(atPath: folder("data"))) ?? [] == [])
    }

    @Test("A data set that was asked for is never replaced by another; the error says how to make it")
    func missingData() throws {
        try expectError(
            ["--dataset=shakespeare_char"],
            code: 65,
            "there is no dataset shakespeare_char in data: prepare it with `ddp-train prepare shakespeare_char`"
        )
        try expectError(["--dataset=novels"], code: 65, "there is no dataset novels in data: prepare it with")
        try expectError(["--preset=gpt2"], code: 65, "there is no dataset openwebtext in data")
        #expect(try folder.names == [])
    }

    @Test("Token files that were cut short or hold foreign ids are refused")
    func tokens() throws {
        try FileManager.default.createDirectory(atPath: folder("data/odd"), withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: folder("data/large"), withIntermediateDirectories: true)
        for name in ["train.bin", "val.bin"] {
            try Data(repeating: 1, count: 2001).write(to: URL(fileURLWithPath: folder("data/odd/\(name)")))
            // GPT-2's vocabulary as nanoGPT pads it ends at 50304.
            try Data(repeating: 0xFF, count: 20_000).write(to: URL(fileURLWithPath: folder("data/large/\(name)")))
        }
        let shape = [
            "--n_layer=1", "--n_head=1", "--n_embd=2", "--block_size=8", "--max_iters=1", "--eval_iters=1",
            "--decay_lr=false",
        ]
        try expectError(["--dataset=odd"] + shape, code: 65, "data/odd/train.bin")
        let result = try program.start(["--dataset=large", "--batch_size=1"] + shape).wait()
        #expect(result.exitCode == 65, "\(result)")
        #expect(result.errorLines.count == 1)
        #expect(result.errors.contains("65535"), "\(result)")
    }

    @Test("Impossible sizes are refused before anything is written")
    func sizes() throws {
        let run = try TrainedRun.shared.get()
        func refused(_ options: [String], _ line: String) throws {
            try expectError(["--dataset=mine", "--out_dir=never"] + options, code: 64, line, in: run.program)
        }
        try refused(["--n_embd=100", "--n_head=12"], "n_embd=100 (command line), n_head=12 (command line)")
        let longer = try run.program.start(["--dataset=mine", "--out_dir=never", "--block_size=10000"]).wait()
        #expect(longer.exitCode == 64, "\(longer)")
        #expect(longer.errors.contains("block_size") && longer.errorLines.count == 1, "\(longer)")
        let large = try run.program.start(
            ["--dataset=mine", "--out_dir=never", "--n_layer=100", "--n_embd=10000", "--n_head=1"]
        ).wait()
        #expect(large.exitCode == 64, "\(large)")
        #expect(large.errors.contains("free") && large.errorLines.count == 1, "\(large)")
        #expect(!FileManager.default.fileExists(atPath: run.folder("never")))
    }

    @Test("A run that is there stays as it is unless --overwrite is given")
    func existingRun() throws {
        let run = try TrainedRun.shared.get()
        let before = try TrainedRun.contents(of: run.folder("out/checkpoints"))
        let again = ["--dataset=mine"] + TrainedRun.tiny
        try expectError(
            again,
            code: 64,
            "out holds a run at iteration 20: continue it with --init_from=resume",
            in: run.program
        )
        try expectError(
            ["--init_from=resume", "--n_layer=3"],
            code: 64,
            "n_layer=3",
            in: run.program
        )
        #expect(try TrainedRun.contents(of: run.folder("out/checkpoints")) == before)
        #expect(!before.isEmpty)

        let other = again + ["--out_dir=replaced"]
        #expect(try run.program.start(other).wait().exitCode == 0)
        let replaced = try run.program.start(other + ["--overwrite", "--seed=3"]).wait()
        #expect(replaced.exitCode == 0, "\(replaced)")
        #expect(replaced.parameterHash != run.training.parameterHash)
    }

    @Test("An out_dir that cannot be written is named")
    func unwritable() throws {
        let run = try TrainedRun.shared.get()
        // Below a file, since permissions do not stop an administrator.
        let result = try run.program.start(["--dataset=mine", "--out_dir=text.txt/out"] + TrainedRun.tiny).wait()
        #expect(result.exitCode == 74, "\(result)")
        #expect(result.errorLines.count == 1)
        #expect(result.errors.hasPrefix("ddp-train: error: cannot"), "\(result)")
        #expect(result.errors.contains("text.txt/out"))
    }

    @Test("A checkpoint that is missing or damaged is named")
    func checkpoints() throws {
        try expectError(["sample"], code: 74, "there is no checkpoint in out/checkpoints")
        try expectError(
            ["sample", "--init_from=gpt3"],
            code: 64,
            "init_from=gpt3: there is no such file or folder, nor is it one of gpt2, gpt2-medium"
        )
        try expectError(["--init_from=resume"], code: 74, "nothing to resume: there is no folder out")
        let run = try TrainedRun.shared.get()
        let copy = folder("copy")
        try FileManager.default.copyItem(atPath: run.folder("out"), toPath: copy)
        let path = copy + "/checkpoints/step-00000020/model.safetensors"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
        let result = try program.run("sample", "--out_dir=copy", "--which=latest")
        #expect(result.exitCode == 65, "\(result)")
        #expect(result.errors.contains("model.safetensors is damaged"), "\(result)")
        #expect(result.output.isEmpty)
        // As the model that a command or a run begins with, too, and not as a folder without one.
        for arguments in [["sample", "--which=latest"], ["--dataset=mine", "--out_dir=new"]] {
            try Data("{".utf8).write(to: URL(fileURLWithPath: copy + "/checkpoints/step-00000020/state.json"))
            let result = try run.program.start(arguments + ["--init_from=\(copy)"]).wait()
            #expect(result.exitCode == 65 && result.errors.contains("state.json"), "\(result)")
        }
    }

    @Test("A loss that is not finite stops the run, says where, and leaves the last good checkpoint")
    func notFinite() throws {
        let run = try TrainedRun.shared.get()
        let options = ["--dataset=mine", "--out_dir=diverged"] + TrainedRun.tiny
        let wild = ["--learning_rate=1e30", "--grad_clip=0", "--warmup_iters=0", "--always_save_checkpoint"]
        let result = try run.program.start(options + wild + ["--eval_interval=1"]).wait()
        #expect(result.exitCode == 1, "\(result)")
        #expect(result.errorLines.count == 1, "\(result)")
        #expect(result.errors.contains(/ddp-train: error: iteration \d+: .*learning rate .*gradient norm/), "\(result)")
    }

    @Test("Help of a command that is not there is wrong usage, with the nearest name")
    func helpOfNothing() throws {
        try expectError(["help", "trian"], code: 64, "there is no command trian; did you mean train?")
        try expectError(["help", "moon"], code: 64, "there is no command moon; see ddp-train --help")
        #expect(try program.run("help", "checkpoint", "diff").exitCode == 0)
    }

    @Test("Options of sample that make no sense are refused before a model is loaded")
    func sampling() throws {
        try expectError(["sample", "--temperature=-1"], code: 64, "temperature=-1: must be at least 0")
        try expectError(["sample", "--top_p=0"], code: 64, "top_p=0: must be more than 0 and at most 1")
        try expectError(
            ["sample", "--num_samples=many"],
            code: 64,
            "num_samples=many: must be a whole number of at least 1"
        )
        try expectError(
            ["sample", "--batch_size=3"],
            code: 64,
            "unknown option --batch_size for sample; bench, config, experiment, plan, train have it"
        )
        try expectError(["--out_dir="], code: 64, "out_dir= (command line): must be text that is not empty")
        try expectError(["--bias="], code: 64, "bias= (command line): must be true or false")
        let run = try TrainedRun.shared.get()
        try expectError(["sample", "--start=日本"], code: 65, "--start: ", in: run.program)
    }

    @Test("A model and data of different tokenizers are kept apart, even where the sizes agree")
    func tokenizers() throws {
        let run = try TrainedRun.shared.get()
        // Every letter is another, and so there are as many.
        let text = String(TrainedRun.text.unicodeScalars.map { Character(Unicode.Scalar($0.value + 0x400)!) })
        try text.write(toFile: folder("other.txt"), atomically: true, encoding: .utf8)
        #expect(try program.run("prepare", "other", "--input", "other.txt").exitCode == 0)
        let model = run.folder("out")
        let line =
            "the tokenizer of \(model)/checkpoints/step-00000020 (char, 45 tokens) is not that of the data set other (char, 45)"
        try expectError(["eval", "--init_from=\(model)", "--dataset=other"], code: 65, line)
        try expectError(["--init_from=\(model)", "--dataset=other"], code: 65, line)
    }
}
