import Foundation
import TestSupport
import Testing

/// What a user does one after the other: prepare, train, sample, evaluate, export.
@Suite struct PipelineTests {
    private let run: TrainedRun
    private let program: Program

    init() throws {
        run = try TrainedRun.shared.get()
        program = run.program
    }

    @Test("prepare makes a data set of the user's text, and says what it made")
    func prepare() throws {
        #expect(run.preparation.exitCode == 0)
        #expect(run.preparation.errors.isEmpty)
        let line =
            /^prepared data\/mine: 4914 train and 546 val tokens, 45 different \(char, chosen for 5520 bytes of text\)\n$/
        #expect(run.preparation.output.contains(line), "\(run.preparation)")
        let again = try program.run(
            "prepare",
            "again",
            "--input",
            "text.txt",
            "text.txt",
            "--tokenizer=byte",
            "--data-dir",
            "other",
            "--json"
        )
        let object = try #require(JSONSerialization.jsonObject(with: Data(again.output.utf8)) as? [String: Any])
        #expect(again.outputLines.count == 1)
        #expect(object["path"] as? String == "other/again")
        #expect(object["tokenizer"] as? String == "byte")
        #expect(object["vocabulary_size"] as? Int == 256)
        #expect((object["train_tokens"] as? Int ?? 0) + (object["val_tokens"] as? Int ?? 0) == 11040)
    }

    @Test("A run prints nanoGPT's lines, ends with its hash, and leaves its files")
    func train() throws {
        let result = run.training
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.errors.isEmpty)
        let steps = result.outputLines.filter { $0.contains(/^step \d+: train loss \d\.\d{4}, val loss \d\.\d{4}$/) }
        #expect(steps.map { $0.prefix { $0 != ":" } } == ["step 0", "step 10", "step 20"])
        let iterations = result.outputLines.filter {
            $0.contains(/^iter \d+: loss \d\.\d{4}, time \d+\.\d{2}ms, tok\/s \d+, mfu \d+\.\d{2}%$/)
        }
        #expect(iterations.map { $0.prefix { $0 != ":" } } == ["iter 0", "iter 10"])
        #expect(result.parameterHash != nil)
        for name in ["config.toml", "metrics.jsonl", "checkpoints/best", "checkpoints/latest"] {
            #expect(FileManager.default.fileExists(atPath: run.folder("out/\(name)")), "\(name)")
        }
        let events = try FileManager.default.contentsOfDirectory(atPath: run.folder("out/tensorboard"))
        #expect(events.count == 1 && events[0].hasPrefix("events.out.tfevents."))
    }

    @Test("The line that repeats a run repeats it to the bit")
    func repeating() throws {
        let line = try #require(run.training.outputLines.last?.split(separator: " repeat with: ddp-train ").last)
        let again = try program.start(line.split(separator: " ").map(String.init) + ["--out_dir=again"]).wait()
        #expect(again.parameterHash == run.training.parameterHash)
        #expect(again.parameterHash != nil)
    }

    @Test("The configuration saved with a run reads back to the same")
    func savedConfiguration() throws {
        let result = try program.run("config", "out/config.toml")
        func assignments(_ text: String) -> [Substring] {
            text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { $0.prefix { $0 != "#" } }
        }
        let saved = try String(contentsOfFile: run.folder("out/config.toml"), encoding: .utf8)
        #expect(assignments(result.output) == assignments(saved))
        #expect(saved.contains("n_layer = 2"))
        #expect(saved.contains("# command line"))
    }

    @Test("sample writes the start and so many tokens after it, the same for the same seed")
    func sample() throws {
        func text(_ arguments: String...) throws -> String {
            let result = try program.start(["sample", "--num_samples=1", "--max_new_tokens=30"] + arguments).wait()
            #expect(result.exitCode == 0, "\(result)")
            #expect(result.errors.isEmpty)
            return result.output
        }
        let first = try text("--start=The dog", "--seed=5")
        #expect(first.hasPrefix("The dog"))
        #expect(first.count == "The dog".count + 30 + 1)
        try "The dog".write(toFile: run.folder("start.txt"), atomically: true, encoding: .utf8)
        #expect(try text("--start", "FILE:start.txt", "--seed=5") == first)
        #expect(try text("--start=The dog", "--seed=6") != first)
        #expect(try text("--start=").count == 30 + 1)
        #expect(try text("--start=The dog", "--top_k=1") == text("--start=The dog", "--temperature=0"))
    }

    @Test("sample reads a start from standard input, and separates samples by a line")
    func sampleFromInput() throws {
        let result = try program.run(
            "sample",
            "--start",
            "-",
            "--num-samples",
            "3",
            "--max_new_tokens=2_0",
            "--which=latest",
            input: "fox"
        )
        #expect(result.exitCode == 0, "\(result)")
        let samples = result.output.components(separatedBy: "\n---------------\n")
        #expect(samples.count == 3)
        #expect(samples.allSatisfy { $0.hasPrefix("fox") })
        #expect(Set(samples).count == 3)
    }

    @Test("eval prints one line, the same for an exported model, and the figures in JSON")
    func evalAndExport() throws {
        let line = try program.run("eval", "--split", "val")
        #expect(line.exitCode == 0, "\(line)")
        let form = /^val loss \d\.\d{4}, perplexity \d+\.\d{2}, 545 tokens, \d\.\d{4} bits per byte\n$/
        #expect(line.output.contains(form), "\(line)")
        #expect(line.errors.isEmpty)

        let exported = try program.run("export", "--out_dir=out", "--which=best", "--format=hf", "--out=model")
        #expect(exported.exitCode == 0, "\(exported)")
        let names = try FileManager.default.contentsOfDirectory(atPath: run.folder("model")).sorted()
        #expect(["config.json", "model.safetensors", "tokenizer.json"].allSatisfy(names.contains), "\(names)")
        #expect(try program.run("eval", "--init_from=model", "--dataset=mine").output == line.output)

        let refused = try program.run("export", "--out=model")
        #expect(refused.exitCode == 64)
        #expect(
            refused.errorLines == [
                "ddp-train: error: model exists already: choose another --out, or replace it with --overwrite"
            ]
        )

        let json = try program.run("eval", "--split=train", "--which=latest", "--json")
        let object = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(json.outputLines.count == 1)
        #expect(object["split"] as? String == "train")
        #expect(object["tokens"] as? Int == 4913)
        let loss = try #require(object["loss"] as? Double)
        #expect(abs(exp(loss) - (object["perplexity"] as? Double ?? 0)) < 1e-9)
    }

    @Test("export --overwrite replaces an export, and nothing else")
    func exportReplaces() throws {
        func export(_ out: String, _ options: String...) throws -> Program.Result {
            try run.program.start(["export", "--out=\(out)", "--overwrite"] + options).wait()
        }
        for _ in 0..<2 {
            let result = try export("exported-twice")
            #expect(result.exitCode == 0, "\(result)")
        }
        for out in ["out", "out/checkpoints", "out/checkpoints/latest"] {
            let result = try export(out)
            #expect(result.exitCode == 64, "\(result)")
            #expect(result.errors.contains("which no export has written, and is not replaced: choose another --out"))
        }
        #expect(mkfifo(run.folder("pipe"), 0o600) == 0)
        let pipe = try export("pipe", "--format=gguf")
        #expect(pipe.exitCode == 64 && pipe.errors.contains("neither file nor folder"), "\(pipe)")
        #expect(try run.program.run("checkpoint", "verify", "out").exitCode == 0)
    }

    @Test("A tokenizer that cannot be the model's is refused")
    func otherTokenizer() throws {
        let result = try run.program.run("sample", "--tokenizer=byte", "--max_new_tokens=1")
        #expect(result.exitCode == 64)
        #expect(result.errors.contains("is not that of out/checkpoints/step-000000"), "\(result)")
    }

    @Test("A new run can start from another run's weights")
    func startFromWeights() throws {
        let options = ["--dataset=mine", "--init_from=out", "--eval_only", "--out_dir=unused", "--eval_iters=5"]
        let result = try program.start(options).wait()
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.output.contains("2 layers, 2 heads, width 16"))
        #expect(!FileManager.default.fileExists(atPath: run.folder("unused")))
    }
}
