import Foundation
import TestSupport
import Testing

/// Prompts and texts with special tokens, as a user gives them.
@Suite struct SpecialTokenCommandTests {
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    /// A run on documents that end with "ab" and the token that ends them.
    private func train() throws {
        let text = (0..<400).map { "\($0)ab" }.joined(separator: "\n\n")
        try text.write(toFile: folder("text.txt"), atomically: true, encoding: .utf8)
        let prepared = try program.run(
            "prepare",
            "--input=text.txt",
            "--separator=\\n\\n",
            "--name=mine",
            "--val_fraction=0.1",
            "--tokenizer=\(Fixtures.path("cases/data/d11-eos"))"
        )
        #expect(prepared.exitCode == 0, "\(prepared)")
        let trained = try program.run(
            "--dataset=mine",
            "--n_layer=1",
            "--n_head=1",
            "--n_embd=16",
            "--block_size=8",
            "--batch_size=16",
            "--gradient_accumulation_steps=1",
            "--max_iters=80",
            "--eval_interval=80",
            "--eval_iters=1",
            "--learning_rate=1e-2",
            "--warmup_iters=0",
            "--dropout=0"
        )
        #expect(trained.exitCode == 0, "\(trained)")
    }

    @Test("A special token in a prompt is that token, and another end of texts stops a sample and goes with an export")
    func prompts() throws {
        try train()
        func sample(_ start: String, _ model: String = "--out_dir=out") throws -> String {
            let result = try program.run(
                "sample",
                model,
                "--start=\(start)",
                "--temperature=0",
                "--num_samples=1",
                "--max_new_tokens=20"
            )
            #expect(result.exitCode == 0, "\(result)")
            return result.output
        }
        // After "ab" comes the end of the text.
        #expect(try sample("a") == "ab\n")
        // Without a text a model begins from the token that ends another one.
        let text = try sample("")
        #expect(text.hasSuffix("ab\n"))
        #expect(try sample("</s>") == "</s>" + text)
        try "</s>".write(toFile: folder("prompt.txt"), atomically: true, encoding: .utf8)
        #expect(try sample("FILE:prompt.txt") == "</s>" + text)

        let exported = try program.run("export", "--out=exported")
        #expect(exported.exitCode == 0, "\(exported)")
        let settings = try String(contentsOfFile: folder("exported/tokenizer_config.json"), encoding: .utf8)
        #expect(settings.contains("\"eos_token\": \"</s>\""), "\(settings)")
        #expect(try sample("</s>", "--init_from=exported") == "</s>" + text)
        let streamed = try program.run(program: "stream-text", ["exported", "</s>1a"])
        #expect(streamed.exitCode == 0 && streamed.output.hasPrefix("b"), "\(streamed)")

        for given in [["--text=</s>ab"], ["--input=prompt2.txt"]] {
            try "</s>ab".write(toFile: folder("prompt2.txt"), atomically: true, encoding: .utf8)
            let result = try program.start(["inspect", "--json"] + given).wait()
            #expect(result.exitCode == 0, "\(result)")
            let json = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
            // The last id is only a target.
            #expect(json?["tokens"] as? [Int] == [256, 64], "\(given)")
        }
    }

    @Test("prepare takes special tokens as such only where it is asked to")
    func prepare() throws {
        let text = (0..<100).map { "text \($0)</s>\n" }.joined()
        try text.write(toFile: folder("text.txt"), atomically: true, encoding: .utf8)
        func tokens(_ name: String, _ more: String...) throws -> Int {
            let tokenizer = Fixtures.path("cases/data/d11-eos")
            let arguments = ["prepare", "--input=text.txt", "--name=\(name)", "--tokenizer=\(tokenizer)", "--json"]
            let result = try program.start(arguments + more).wait()
            let json = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
            return try #require(json?["train_tokens"] as? Int) + #require(json?["val_tokens"] as? Int)
        }
        #expect(try tokens("plain") == text.utf8.count)
        #expect(try tokens("special", "--special_tokens") == text.utf8.count - 300)
        let none = try program.run("prepare", "--input=text.txt", "--name=c", "--tokenizer=byte", "--special_tokens")
        #expect(none.exitCode == 64, "\(none)")
        #expect(
            none.errors
                == "ddp-train: error: --special_tokens: the tokenizer (byte) has no special tokens; remove the option\n"
        )
        let known = try program.run("prepare", "shakespeare_char", "--special_tokens")
        #expect(known.exitCode == 64 && known.errors.contains("--special_tokens goes with --input"), "\(known)")
    }

    @Test("What is assumed of a tokenizer is said beside the result")
    func notices() throws {
        let path = Fixtures.path("bytepair/small.tiktoken")
        let result = try program.run("tokenizer", "encode", "--tokenizer=\(path)", "the")
        #expect(result.exitCode == 0 && result.errorLines.count == 1, "\(result)")
        #expect(result.errors.contains("assuming GPT-2's pattern"), "\(result)")
        try String(repeating: "some text to prepare ", count: 50).write(
            toFile: folder("text.txt"),
            atomically: true,
            encoding: .utf8
        )
        let prepared = try program.run("prepare", "--input=text.txt", "--name=a", "--tokenizer=\(path)")
        #expect(prepared.exitCode == 0 && prepared.errors.contains("assuming GPT-2's pattern"), "\(prepared)")
    }
}
