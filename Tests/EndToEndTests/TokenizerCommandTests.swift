import Foundation
import TestSupport
import Testing

/// `ddp-train tokenizer`, as a user runs it.
@Suite struct TokenizerCommandTests {
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
        let text = String(repeating: "the cat that sat there, then the other\n", count: 50)
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder("text.txt")))
    }

    @Test("A tokenizer is trained, encodes, decodes and is described")
    func wholeWay() throws {
        let trained = try program.run(
            "tokenizer",
            "train",
            "--vocab_size=270",
            "--input",
            "text.txt",
            "--output",
            "mine"
        )
        #expect(trained.exitCode == 0, "\(trained)")
        #expect(trained.output == "trained mine: 270 tokens from 1950 bytes of text\n")
        let encoded = try program.run("tokenizer", "encode", "--tokenizer=mine", "the cat  é<|endoftext|>")
        #expect(encoded.exitCode == 0, "\(encoded)")
        let special = try program.run("tokenizer", "encode", "--tokenizer=mine", "--special_tokens", "<|endoftext|>")
        #expect(special.output == "269\n", "\(special)")
        let decoded = try program.run("tokenizer", "decode", "--tokenizer=mine", input: encoded.output)
        #expect(decoded.output == "the cat  é<|endoftext|>", "\(decoded)")
        let json = try program.run("tokenizer", "encode", "--tokenizer=mine", "--input", "text.txt", "--json")
        let ids = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: [Int]]
        let count = try #require(ids?["ids"]?.count)
        #expect(count < 1950)
        let info = try program.run("tokenizer", "info", "--tokenizer=mine/merges.txt", "FILE:text.txt")
        #expect(info.output.contains("kind            bpe\ntokens          270\n"), "\(info)")
        #expect(info.output.contains("(1950 bytes, \(count) tokens)"), "\(info)")
        let again = try program.run("tokenizer", "train", "--vocab_size=270", "--input", "text.txt", "--output", "mine")
        #expect(again.exitCode == 64)
        #expect(again.errors.hasPrefix("ddp-train: error: mine exists already"))
    }

    @Test("--overwrite replaces a tokenizer, and nothing else")
    func overwriting() throws {
        func train(_ output: String) throws -> Program.Result {
            try program.run(
                "tokenizer",
                "train",
                "--vocab_size=270",
                "--input",
                "text.txt",
                "--out",
                output,
                "--overwrite"
            )
        }
        for _ in 0..<2 { #expect(try train("mine").exitCode == 0) }
        try FileManager.default.createDirectory(atPath: folder("data/set"), withIntermediateDirectories: true)
        for (output, reason) in [("data", "data holds set, which"), ("text.txt", "text.txt is no folder")] {
            let result = try train(output)
            #expect(result.exitCode == 64, "\(result)")
            #expect(result.errorLines.count == 1 && result.errors.contains(reason), "\(result)")
        }
        #expect(FileManager.default.fileExists(atPath: folder("data/set")))
        #expect(FileManager.default.fileExists(atPath: folder("text.txt")))
    }

    @Test("Bytes and characters are tokenizers too")
    func simple() throws {
        #expect(
            try program.run("tokenizer", "encode", "--tokenizer", "byte", "é", "--json").output
                == "{\"ids\":[195,169]}\n"
        )
        #expect(try program.run("tokenizer", "encode", "--tokenizer=char", input: "banana").output == "1 0 2 0 2 0\n")
        #expect(try program.run("tokenizer", "decode", "--tokenizer=byte", "104", "105").output == "hi")
        for input in [["--input", "-"], ["--input=-"], ["-"]] {
            let encoded = try program.start(["tokenizer", "encode", "--tokenizer=byte"] + input, input: "hi").wait()
            #expect(encoded.output == "104 105\n", "\(input): \(encoded)")
        }
    }

    @Test("What a user gets wrong is one line")
    func errors() throws {
        for (arguments, code, line) in [
            (["tokenizer", "trian"], 64, "tokenizer has no command trian; did you mean train?"),
            (["tokenizer", "encode", "--tokenizer=none", "x"], 74, "tokenizer=none: no such file or folder"),
            (["tokenizer", "encode", "--tokenizer=text.txt", "x"], 65, "text.txt is not a tokenizer file"),
            (
                ["tokenizer", "encode", "--tokeniser=byte", "x"], 64,
                "unknown option --tokeniser; did you mean --tokenizer?"
            ),
            (
                ["tokenizer", "decode", "--tokenizer=byte", "256"], 65,
                "256 is no id of this tokenizer: they are 0 to 255"
            ),
            (["tokenizer", "decode", "--tokenizer=char", "1"], 64, "tokenizer=char: ids alone do not say"),
            (
                ["tokenizer", "train", "--vocab_size=100", "--input", "text.txt", "--output=x"], 64,
                "vocab_size=100: must be from 257"
            ),
        ] as [([String], Int32, String)] {
            let result = try program.start(arguments).wait()
            #expect(result.exitCode == code, "\(arguments): \(result)")
            #expect(result.errorLines.count == 1, "\(arguments): \(result)")
            #expect(result.errors.hasPrefix("ddp-train: error: \(line)"), "\(arguments): \(result)")
        }
        #expect(try program.run("tokenizer", "--help").exitCode == 0)
        #expect(try program.run("tokenizer", "train", "--help").output.contains("--vocab_size"))
    }
}
