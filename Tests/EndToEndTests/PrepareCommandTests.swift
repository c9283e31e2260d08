import Foundation
import TestSupport
import Testing

/// What a user meets who prepares more than one text.
@Suite struct PrepareCommandTests {
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    private func contents(_ name: String) throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for file in try FileManager.default.contentsOfDirectory(atPath: folder(name)) where file.hasSuffix(".bin") {
            contents[file] = try Data(contentsOf: URL(fileURLWithPath: folder(name + "/" + file)))
        }
        return contents
    }

    @Test("A preparation that is killed goes on where it stopped, to the same files")
    func killed() throws {
        let document = String(repeating: "All work and no play makes a dull text. ", count: 40)
        let text = (0..<12_000).map { "\($0): \(document)\n<|endoftext|>\n" }.joined()
        try text.write(toFile: folder("text.txt"), atomically: true, encoding: .utf8)
        let arguments = [
            "prepare", "--input", "text.txt", "--separator=<|endoftext|>", "--tokenizer=byte", "--shard_size=1000000",
            "--val_fraction=0.1", "--data_dir",
        ]
        #expect(try program.start(arguments + ["whole", "--name=a"]).wait().exitCode == 0)

        let first = try program.start(arguments + ["killed", "--name=a"])
        let state = folder("killed/.a.unfinished/state.json")
        while first.isRunning, !FileManager.default.fileExists(atPath: state) { usleep(500) }
        first.send(SIGKILL)
        _ = try first.wait()
        // It may have been quicker than the signal; then there is nothing to go on from.
        guard !FileManager.default.fileExists(atPath: folder("killed/a")) else { return }
        let second = try program.start(arguments + ["killed", "--name=a"]).wait()
        #expect(second.exitCode == 0, "\(second)")
        #expect(second.output.contains(/went on after \d+ tokens of an interrupted preparation/), "\(second)")
        #expect(try contents("killed/a") == contents("whole/a"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder("killed")) == ["a"])
    }

    @Test("Documents come by standard input; too few of them for validation are an error that says what to do")
    func standardInput() throws {
        let lines = (0..<300).map { "{\"id\": \($0), \"body\": \"document number \($0)\"}\n" }.joined()
        let result = try program.run(
            "prepare",
            "--input=-",
            "--field=body",
            "--name=a",
            "--val_fraction=0.2",
            "--json",
            input: lines
        )
        #expect(result.exitCode == 0, "\(result)")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let documents = ["train_documents", "val_documents"].compactMap { json[$0] as? Int }
        #expect(documents.reduce(0, +) == 300)
        #expect(json["text_bytes"] as? Int == (0..<300).reduce(0) { $0 + "document number \($1)".utf8.count })

        let few = try program.run(
            "prepare",
            "--input=-",
            "--field=body",
            "--name=b",
            "--tokenizer=byte",
            input: "{\"body\": \"x y\"}\n"
        )
        #expect(few.exitCode == 65)
        #expect(
            few.errors.contains("--val_fraction=0.0005 selects 0 of 1 documents for validation and 1 for training"),
            "\(few)"
        )
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder("data")) == ["a"])
    }

    @Test("Standard input with bad data goes on once that is mended; another text is refused, and nothing is lost")
    func interruptedInput() throws {
        // Nothing is written of a batch with bad data, and a batch has 4 MB: the last line comes after the first.
        func lines(_ word: String, last: String) -> String {
            let text = String(repeating: word + " ", count: 1000)
            return (0..<1000).map { "{\"text\": \"\($0) \(text)\"}\n" }.joined() + last + "\n"
        }
        func prepare(_ name: String, _ input: String) throws -> Program.Result {
            try program.run(
                "prepare",
                "--input=-",
                "--field=text",
                "--tokenizer=byte",
                "--shard_size=1000000",
                "--val_fraction=0.1",
                "--name=\(name)",
                input: input
            )
        }
        let good = "{\"text\": \"the end\"}"
        let stopped = try prepare("a", lines("words", last: "{"))
        #expect(stopped.exitCode == 65, "\(stopped)")
        #expect(
            stopped.errors.contains(
                """
                kept in data/.a.unfinished: fix this and run the same command again to continue, without changing the text \
                before it
                """
            ),
            "\(stopped)"
        )
        let other = try prepare("a", lines("other", last: good))
        #expect(other.exitCode == 65, "\(other)")
        #expect(
            other.errors.contains(
                """
                the text differs from the one whose tokens are kept in data/.a.unfinished; pass the same text or remove the \
                folder
                """
            ),
            "\(other)"
        )
        #expect(!other.errors.contains("from the beginning"), "\(other)")

        let text = lines("words", last: good)
        let mended = try prepare("a", text)
        #expect(mended.exitCode == 0, "\(mended)")
        #expect(mended.output.contains(/went on after \d+ tokens of an interrupted preparation/), "\(mended)")
        #expect(try prepare("whole", text).exitCode == 0)
        #expect(try contents("data/a") == contents("data/whole"))
    }

    @Test("Lines of JSON by standard input are recognized, bad ones passed over on demand, and standard error says so")
    func standardInputLines() throws {
        let lines = (0..<50).map { "{\"id\": NaN, \"text\": \"document number \($0)\"}\n" }.joined()
        let arguments = ["prepare", "--input=-", "--tokenizer=byte", "--val_fraction=0.2"]
        let stopped = try program.start(arguments + ["--name=a"], input: lines + "{\n").wait()
        #expect(stopped.exitCode == 65, "\(stopped)")
        #expect(stopped.errors.contains("error: standard input: line 51 is not JSON"), "\(stopped)")
        let result = try program.start(arguments + ["--name=a", "--skip-bad", "--json"], input: lines + "{\n").wait()
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.output.contains("\"text_bytes\":890"), "\(result)")
        #expect(
            result.errorLines.map { $0.prefix(36) } == [
                "the tokenizer (byte) has no end-of-t", "recognized as JSONL by content, with",
                "--skip_bad skipped 1 line, the first",
            ],
            "\(result)"
        )
    }

    @Test("A full disk stops a preparation with one line that names the file; with room the same command succeeds")
    func fullDisk() throws {
        let text = (0..<4000).map { "\($0) " + String(repeating: "words ", count: 100) + "\n\n" }.joined()
        try text.write(toFile: folder("text.txt"), atomically: true, encoding: .utf8)
        // A shard grows to 2 MB; the limit, in blocks of 512 or 1024 bytes, is below that.
        func prepare(_ name: String, limit: String) throws -> Program.Result {
            let command = """
                trap '' XFSZ; ulimit -f \(limit); exec "\(try Program.path())" prepare --input text.txt --separator='\\n\\n' \
                --tokenizer=byte --val_fraction=0.1 --shard_size=1000000 --name=\(name)
                """
            return try program.shell(command)
        }
        #expect(try prepare("whole", limit: "unlimited").exitCode == 0)
        let full = try prepare("a", limit: "1000")
        #expect(full.exitCode == 74, "\(full)")
        #expect(full.errorLines.count == 1)
        #expect(full.errors.contains("cannot write data/.a.unfinished/train_000000.bin: File too large"), "\(full)")
        #expect(try prepare("a", limit: "unlimited").exitCode == 0)
        #expect(try contents("data/a") == contents("data/whole"))
    }
}
